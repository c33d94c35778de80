"""Every command of every page: it is run here against a mesh, or by a test of its own, or named with what it needs.

A command is a line of a block of `sh`. One that is new on a page is run; where it cannot be, it has to be named below.
Only ports, ids and folders are replaced.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.__main__ import cli
from tests.fakes.mesh_process import MeshProcess, environment
from tests.integration.test_client_page import EXAMPLES, PRINTED

ROOT = Path(__file__).parents[2]
PAGES = ("CONTRIBUTING.md", "ARCHITECTURE.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))

# Whose commands are run, in their order, by a test of their own.
ELSEWHERE = {
    "README.md": "tests/integration/test_readme.py",
    "docs/orders.md": "tests/integration/test_orders_page.py",
}

USUAL_PORTS = {"8080": "ORDERMESH_GATEWAY_ADDR", "50051": "ORDER_ADDR", "8090": "SANDBOX_ADDR"}

# What of the project a command finds where it is run; what it writes stays out of the project.
_LINKED = ("examples", "deploy", ".venv", "tests", "docs")

_ROOT = "changes the machine, as root"
_MAKE = "a target of make; test_readme.py sees that each exists, CI runs what is quick enough"
_SERVES = "runs until it is stopped; tests/integration/test_cli_serve.py and its like run it"
_DOCKER = "needs Docker; tests/deploy holds the file to the code"
_UNITS = "is about a mesh with certificates; tests/unit/test_cli_trust.py tries it"
_CLUSTER = "needs a cluster; tests/deploy holds the manifests to the code"
_POSTGRES = "needs a PostgreSQL server and its tools"

# By page: how a command begins that is not run, and why. What begins like it is left out as well.
NOT_RUN = {
    "CONTRIBUTING.md": {
        "make ": _MAKE,
        "python -m tests.drill.restore": "takes minutes, and starts meshes of its own",
    },
    "docs/quick-start.md": {"make up": _SERVES},
    "docs/backup.md": {
        "pg_dump": _POSTGRES,
    },
    "docs/deploy.md": {
        "install ": _ROOT,
        "systemctl ": _ROOT,
        "journalctl ": _ROOT,
        "ordermesh certs ": _UNITS,
        "ordermesh keys ": _UNITS,
        "ordermesh serve": _SERVES,
        "ORDER_ADDR=ipv4": _SERVES,
        "POSTGRES_PASSWORD=": _DOCKER,
        "docker ": _DOCKER,
        "kubectl -n ": _CLUSTER,
        "kubectl kustomize": "needs kubectl; tests/deploy/test_kubernetes.py runs it where there is one",
    },
    "docs/mails.md": {"MAIL_SENDGRID_TEMPLATES=": "a setting"},
    "docs/mesh.md": {"envoy ": "runs until it is stopped; tests/deploy/test_envoy.py runs it"},
    "docs/postgres.md": {
        "ordermesh retention": "needs PostgreSQL, or services at rest; tests/contract/test_retention.py tries it"
    },
    "docs/runbook.md": {"ordermesh certs show": _UNITS},
    "docs/security.md": {"read -rs ": "asks a person for a key"},
    "docs/webhooks.md": {
        "ordermesh webhook replay": "needs a delivery that was given up; tests/integration/test_cli_webhook.py has one"
    },
}

# What may stand before a command of ours.
_SETTINGS = re.compile(r"(?:[A-Z_]+=\S+ )*")

# Commands that say what is wrong by their exit code, which may be 1 where the pages before have left something.
_TELLS_BY_EXIT_CODE = ("ordermesh audit",)


@dataclass(frozen=True)
class Command:
    """One command of a page.

    Attributes:
        page: From the root of the repository.
        text: As it is written there, without what is told beside it.
    """

    page: str
    text: str


def commands(page: str) -> Iterator[Command]:
    """Yield the commands of a page in their order."""
    for block in re.findall(r"^ *```sh\b.*?\n(.*?)^ *```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", "").splitlines():
            if text := re.sub(r"(^|\s+)#\s.*$", "", line).strip():
                yield Command(page, text)


def excuse(command: Command) -> str | None:
    """Return how the entry begins that says why a command is not run; None for one that is."""
    return next((begun for begun in NOT_RUN.get(command.page, {}) if command.text.startswith(begun)), None)


ALL = [command for page in PAGES if page not in ELSEWHERE for command in commands(page)]


class Reader:
    """Somebody who types what the pages say, in a folder of their own."""

    def __init__(self, folder: Path, values: dict[str, str]) -> None:
        self._folder, self._values = folder, {**values, "PATH": f"{ROOT}/.venv/bin:{values['PATH']}"}
        self._order_id = ""
        for name in _LINKED:
            (folder / name).symlink_to(ROOT / name)

    def type(self, command: Command) -> tuple[int, str]:
        """Return the exit code and what was said."""
        text = command.text.replace("ORDER_ID", self._order_id).replace(".ordermesh/", f"{self._folder}/kept/")
        for usual, name in USUAL_PORTS.items():
            text = text.replace(f":{usual}", ":" + self._values[name].rpartition(":")[2])
        given, ours, words = text.partition("ordermesh ")
        if ours and _SETTINGS.fullmatch(given) and "|" not in words:
            code, said = self._ours(shlex.split(words), dict(each.split("=", 1) for each in shlex.split(given)))
        else:
            code, said = self._any(text)
        if "order place" in text and (found := re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", said)):
            self._order_id = found[0]
        return code, said

    def run(self, example: str) -> str:
        """Run an example in Python and return what it printed."""
        code = example.replace("localhost:50051", self._values["ORDER_ADDR"])
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=self._folder,
            env=self._values,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _ours(self, words: list[str], settings: dict[str, str]) -> tuple[int, str]:
        """Run our command in this process, which has imported it already."""
        done = CliRunner().invoke(cli, words, env={**self._values, **settings})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    def _any(self, text: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text],
            cwd=self._folder,
            env=self._values,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    values = environment(tmp_path / ".ordermesh")
    folder = tmp_path / "reader"
    folder.mkdir()
    monkeypatch.chdir(folder)
    mesh = MeshProcess(["up"], values, tmp_path / "mesh.log")
    try:
        mesh.wait_until("Data lies in")
        yield Reader(folder, values)
    finally:
        mesh.kill()


@pytest.mark.long
@pytest.mark.timeout(300)  # sixty commands, on a machine that may have other things to do
def test_the_pages_commands_do_what_they_say(reader: Reader) -> None:
    """All in one test: they share a mesh, and go on from one another. What several pages say is typed once."""
    first = Command("", "ordermesh order place -f examples/order.json --key pages")
    run = {each.text: each for each in (first, *ALL) if excuse(each) is None}
    for command in run.values():
        code, said = reader.type(command)
        allowed = {0, 1} if command.text.startswith(_TELLS_BY_EXIT_CODE) else {0}
        assert code in allowed, f"{command.page}: {command.text}\n{said}"
    for code, pattern in zip(EXAMPLES, PRINTED, strict=True):
        assert re.fullmatch(pattern, reader.run(code)), code


def test_every_command_that_is_not_run_is_there_and_every_page_run_elsewhere_has_its_test() -> None:
    used = {(command.page, excuse(command)) for command in ALL}

    assert {(page, begun) for page, named in NOT_RUN.items() for begun in named} <= used
    for page, test in ELSEWHERE.items():
        assert f'"{Path(page).name}"' in (ROOT / test).read_text()
        assert list(commands(page))


def test_commands_are_found_with_what_is_told_beside_them_left_out() -> None:
    texts = [command.text for command in commands("docs/runbook.md")]

    assert "ordermesh order list --needs-review" in texts
    assert not any("#" in text for text in texts)


def test_what_is_named_in_a_sentence_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (*PAGES, *ELSEWHERE):
        named = re.findall(r"`([^`\n]+)`", (ROOT / page).read_text())
        for target in (found[1] for each in named if (found := re.match(r"make ([a-z-]+)", each))):
            assert target in targets, f"{page}: make {target}"
        for module in (found[1] for each in named if (found := re.match(r"python -m (tests[\w.]*)", each))):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), f"{page}: {module}"
        for typed in (found[1] for each in named if (found := re.match(r"(?:\.venv/bin/)?ordermesh ([a-z]+)", each))):
            assert typed in cli.list_commands(click.Context(cli)), f"{page}: ordermesh {typed}"
