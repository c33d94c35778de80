"""The command itself: every name leads to a command, and asking for help imports none of them."""

import json
import subprocess
import sys

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from cli.__main__ import cli

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
