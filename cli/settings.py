"""`ordermesh settings`: every environment variable that any part reads, its default and what it is.

Nothing is listed by hand: each config is read with an environment that is empty and remembers what it was asked for,
and what a variable is stands in the docstrings of the config's own fields.
"""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from cli.output import output_option, print_json

CONFIGS = {
    "order": "order_svc.config:OrderConfig",
    "tax": "tax_svc.config:TaxConfig",
    "payment": "payment_svc.config:PaymentConfig",
    "notify": "notify_svc.config:NotifyConfig",
    "gateway": "gateway.config:GatewayConfig",
    "sandbox": "sandbox.config:SandboxConfig",
    "command line": "cli.config:CliConfig",
}
"""Where each part's settings are read."""

SHARED = (
    "chassis.access.settings",
    "chassis.limits",
    "chassis.trust.settings",
    "gateway.access.settings",
    "gateway.https_settings",
)
"""Modules that several configs take settings from."""

_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
# "TAX_SHIP_FROM_LINE1, …_LOCALITY and …_REGION_CODE: meaning", or the same with "else" or "or" between names.
_HEAD = re.compile(r"(?:(?:,? (?:and|or|else) |, )?(?:…_)?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)+(?=[,:.])")
# Longer defaults are keys, which nobody reads.
_LONGEST_DEFAULT = 60


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable.

    Attributes:
        name: Of the variable.
        default: What it is when it is not set; empty for nothing.
        meaning: A sentence or two; empty when no docstring names it.
        parts: Who reads it.
    """

    name: str
    default: str
    meaning: str
    parts: tuple[str, ...]


class _Asked(Mapping[str, str]):
    """An empty environment that remembers what it was asked for, and with which default."""

    def __init__(self) -> None:
        self.defaults: dict[str, str] = {}

    def get(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401  (as Mapping has it)
        """Return the default, and remember it."""
        self.defaults[name] = self.defaults.get(name) or default or ""
        return default

    def __getitem__(self, name: str) -> str:
        self.defaults.setdefault(name, "")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def settings() -> list[Setting]:
    """Return every setting of every part, those of the whole mesh first."""
    parts: dict[str, list[str]] = {}
    defaults: dict[str, dict[str, str]] = {}
    meanings: dict[str, str] = {}
    for part, place in CONFIGS.items():
        module, _, name = place.partition(":")
        config = getattr(import_module(module), name)
        asked = _Asked()
        config.from_env(asked)
        for variable, default in asked.defaults.items():
            parts.setdefault(variable, []).append(part)
            defaults.setdefault(variable, {})[part] = default
        for variable, meaning in _documented(inspect.getsource(import_module(module))):
            meanings.setdefault(variable, meaning)
            # Some are asked for only where another one is set.
            if part not in parts.setdefault(variable, []) and variable not in defaults:
                parts[variable].append(part)
                defaults[variable] = {}
    for module in SHARED:
        for variable, meaning in _documented(inspect.getsource(import_module(module))):
            meanings.setdefault(variable, meaning)
    found = [
        Setting(name, _shown(_of_all(defaults[name])), meanings.get(name, ""), tuple(parts[name]))
        for name in sorted(parts)
    ]
    return sorted(found, key=lambda setting: -len(setting.parts))


@click.command()
@click.option("--markdown", is_flag=True, help="As the table of docs/configuration.md.")
@output_option
def command(output: str, *, markdown: bool) -> None:
    """List every environment variable that any part reads, with its default and what it is."""
    if markdown:
        click.echo(page(), nl=False)
        return
    if output == "json":
        print_json([asdict(setting) for setting in settings()])
        return
    for setting in settings():
        click.echo(f"{setting.name}={setting.default}\n    {setting.meaning}\n    read by: {', '.join(setting.parts)}")


def page() -> str:
    """Return docs/configuration.md."""
    rows = [
        f"| `{setting.name}` | {f'`{setting.default}`' if setting.default else ''} | {_cell(setting.meaning)} "
        f"| {', '.join(setting.parts)} |"
        for setting in settings()
    ]
    return "\n".join([_HEADING, *rows, ""])


_HEADING = """\
# Every setting

<!-- Written by `ordermesh settings --markdown > docs/configuration.md` from the config.py modules. -->

All of it is environment variables, and everything has a default with which `make up` runs on one machine. What is wrong
in it is told at start-up, all complaints at once. Secrets are shown nowhere. An empty value is the default.

`ORDERMESH_PROCESS_TUNING=off` runs a process on grpcio's stock settings; it is meant for measuring.

| Variable | Default | What it is | Read by |
| --- | --- | --- | --- |"""


def _documented(source: str) -> Iterator[tuple[str, str]]:
    """Yield each variable that a paragraph of a docstring of the module begins with, and what it says of it."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        if not isinstance(node.value.value, str):
            continue
        for paragraph in node.value.value.split("\n\n"):
            text = " ".join(paragraph.split())
            if head := _HEAD.match(text):
                meaning = text[head.end() :].lstrip(":,. ")
                yield from ((name, meaning) for name in _names(head.group()))


def _names(head: str) -> Iterator[str]:
    """Yield the variables; "…_LOCALITY" after TAX_SHIP_FROM_LINE1 is TAX_SHIP_FROM_LOCALITY."""
    stem = ""
    for word in re.findall(r"(?:…_)?[A-Z][A-Z0-9_]*", head):
        if word.startswith("…_"):
            yield stem + word.removeprefix("…_")
        elif _NAME.fullmatch(word):
            stem = word.rpartition("_")[0] + "_"
            yield word


def _of_all(defaults: Mapping[str, str]) -> str:
    """Return the default, by part, for all parts: where each has a file of its own, the one of "PART"."""
    given = {part: default for part, default in defaults.items() if default}
    if len(set(given.values())) > 1:
        given = {part: default.replace(f"/{part}.db", "/PART.db") for part, default in given.items()}
    return next(iter(given.values()), "")


def _shown(default: str) -> str:
    """Return the default with the current folder as a dot, as it was written."""
    return default.replace(f"{Path.cwd()}/", "./") if len(default) <= _LONGEST_DEFAULT else f"{default[:12]}…"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
