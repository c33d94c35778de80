"""The command itself: every name leads to a command, and asking for help imports none of them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from cli import demo
from cli.__main__ import cli
from cli.config import CliConfig
from cli.demo_mesh import DemoMesh
from cli.demo_scenes import Told as DemoOrder
from tests.fakes.progress_heard import Heard

HEAVY = ("grpc", "sqlalchemy", "rich", "httpx", "asyncio", "google.protobuf")


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_that_is_listed_answers_for_help(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])

    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output
    assert len(result.output.splitlines()) > 3, "it says what the command does"


@pytest.mark.parametrize(
    "name",
    [
        "place",
        "get",
        "list",
        "explain",
        "watch",
        "cancel",
        "refund",
        "process",
        "ship",
        "deliver",
        "confirm",
        "annotate",
        "review",
        "retry",
    ],
)
def test_order_has_its_commands(name: str) -> None:
    assert CliRunner().invoke(cli, ["order", name, "--help"]).exit_code == 0


def test_help_names_the_exit_codes_and_imports_nothing_heavy() -> None:
    program = (
        "import json, sys\n"
        "from cli.__main__ import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    *text, imported = result.stdout.splitlines()
    assert json.loads(imported) == []
    assert "Exit codes: 0 done; 1 refused; 2 wrong usage; 3 unavailable" in " ".join(text)


def test_completion_knows_commands_and_the_options_of_one() -> None:
    completion = ShellComplete(cli, {}, "ordermesh", "_ORDERMESH_COMPLETE")

    assert [item.value for item in completion.get_completions([], "se")] == ["serve", "settings"]
    assert [item.value for item in completion.get_completions(["trace"], "--v")] == ["--verbose"]
    assert "sandbox" in [item.value for item in completion.get_completions(["serve"], "")]


def test_the_version_is_told_both_ways() -> None:
    by_option = CliRunner().invoke(cli, ["--version"], prog_name="ordermesh").output
    by_command = CliRunner().invoke(cli, ["version"]).output

    assert by_option == by_command
    assert by_command.startswith("ordermesh ")


def test_a_misspelt_command_is_wrong_usage_and_gets_a_hint() -> None:
    result = CliRunner().invoke(cli, ["serv"])

    assert result.exit_code == 2
    assert "serve" in result.output


def test_an_unusable_environment_ends_a_command_with_the_complaint_and_no_stack() -> None:
    result = CliRunner().invoke(cli, ["order", "list"], env={"ORDER_ADDR": "nowhere"})

    assert result.exit_code == 1
    assert "ORDER_ADDR: 'nowhere' is not host:port" in result.output
    assert isinstance(result.exception, SystemExit)


# Commands that print nothing for a program, and why.
FOR_PEOPLE = {
    "up": "runs until it is stopped",
    "serve": "runs until it is stopped",
    "demo": "is a show",
    "bench": "writes its figures as JSON with --report",
    "completion": "prints a script for a shell",
    "descriptors": "writes a file",
    "reference": "writes pages, for whoever works on the code",
    "mail preview": "prints a mail as it is; its --output names a file",
    "webhook delete": "has nothing to say",
}


def every_command(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that is no group, by what is typed for it."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        _, found, _ = command.resolve_command(context, [name])
        assert found is not None
        yield from every_command(found, *path, name)


def test_whatever_prints_something_prints_json_as_well() -> None:
    found = dict(every_command(cli))
    silent = {path for path, command in found.items() if not takes_json(command)}

    assert "order cancel" in found, "groups are looked into"
    assert silent == FOR_PEOPLE.keys(), "a command takes `output_option`, or stands above with a reason"


def takes_json(command: click.Command) -> bool:
    """Return whether a command has -o, --output with json."""
    return any(
        {"-o", "--output"} <= set(each.opts) and isinstance(each.type, click.Choice) and "json" in each.type.choices
        for each in command.params
    )


def test_json_that_needs_no_mesh_is_told_on_standard_output_alone(tmp_path: Path) -> None:
    values = {"ORDERMESH_DATA_DIR": str(tmp_path), "ORDER_ADDR": "127.0.0.1:1"}

    def told(*words: str, code: int = 0) -> Any:  # noqa: ANN401  (any JSON value)
        done = CliRunner().invoke(cli, [*words, "-o", "json"], env=values)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    assert told("version").keys() == {"version"}
    assert {"ORDER_ADDR", "127.0.0.1:50051"} <= {
        word for each in told("settings") for word in each.values() if isinstance(word, str)
    }
    assert "orders.read" in told("keys", "scopes")
    assert told("health", "order", code=3) == {"name": "order", "address": "127.0.0.1:1", "status": "UNREACHABLE"}

    migrated = told("migrate", "gateway")
    assert [(each["part"], each["changed"]) for each in migrated] == [("gateway", True)]
    made = told("keys", "create", "shop", "--scope", "orders.read")
    (listed,) = told("keys", "list")
    assert {**listed, "key": made["key"]} == made
    assert listed["scopes"] == ["orders.read"]
    assert told("keys", "revoke", "shop") == {"revoked": [listed["key_id"]]}
    assert told("keys", "list")[0]["state"] == "revoked"

    certificates = told("certs", "dev", str(tmp_path / "tls"))
    assert told("certs", "show", str(tmp_path / "tls")) == certificates
    (tmp_path / "tls" / "tax" / "tls.crt").write_text("x")
    bad = [each for each in told("certs", "show", str(tmp_path / "tls"), code=1) if each["problem"]]
    assert [each["service"] for each in bad] == ["tax"]

    copies = told("backup", str(tmp_path / "copies"))
    assert [(each["part"], each["bytes"] > 0) for each in copies] == [
        ("order", False),
        ("tax", False),
        ("payment", False),
        ("notify", False),
        ("gateway", True),
    ]


def test_what_was_done_before_a_failure_is_told_to_programs_too(tmp_path: Path) -> None:
    values = {"ORDERMESH_DATA_DIR": str(tmp_path), "TAX_DATABASE_URL": "postgresql://shop@127.0.0.1:1/tax"}
    (tmp_path / "order.db").touch()

    done = CliRunner().invoke(cli, ["backup", str(tmp_path / "copies"), "-o", "json"], env=values)

    assert done.exit_code == 1
    assert [each["part"] for each in json.loads(done.stdout)] == ["order"]
    assert "PostgreSQL" in done.stderr


def test_migrate_and_retention_say_how_far_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    for module in ("migrate", "retention", "mesh"):
        monkeypatch.setattr(f"cli.{module}.progress", heard.progress)

    for words in (["migrate", "payment"], ["retention", "payment"]):
        done = CliRunner().invoke(cli, words, env={"ORDERMESH_DATA_DIR": str(tmp_path)})
        assert done.exit_code == 0, done.output

    told = [what for what, _, _ in heard.told]
    assert told[:2] == ["reading code and settings", "looking at the tables of payment"]
    assert told[2].startswith("payment: to version 0001")
    assert told[-1].startswith("payment.")
    assert heard.counts[-1] == "500 rows gone through, 0 old"


def test_the_demo_says_how_many_of_its_orders_are_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, told = Heard(), DemoOrder("an order", 201, "PAID", {}, {})
    monkeypatch.setattr(demo, "progress", heard.progress)
    monkeypatch.setattr(demo, "SCENES", (lambda _: told, lambda _: told))

    assert demo.placed(DemoMesh(CliConfig.from_env({}))) == [told, told]
    assert heard.told == [("placing orders", 0, 2), ("placing orders", 1, 2)]
