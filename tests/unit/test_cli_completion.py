"""`ordermesh completion`: every shell gets its script, and what is completed is what there is."""

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from cli.__main__ import cli


@pytest.mark.parametrize(
    ("shell", "said"), [("bash", "complete -o nosort -F"), ("zsh", "compdef"), ("fish", "--command")]
)
def test_a_shell_is_told_how_to_complete(shell: str, said: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])

    assert done.exit_code == 0
    assert said in done.output
    assert "_ORDERMESH_COMPLETE" in done.output


def test_another_shell_is_refused_with_those_that_there_are() -> None:
    done = CliRunner().invoke(cli, ["completion", "tcsh"])

    assert done.exit_code == 2
    assert "fish" in done.output


@pytest.mark.parametrize(
    ("typed", "begun", "offered"),
    [
        ([], "expl", ["explain"]),
        (["order"], "pla", ["place"]),
        (["serve"], "ga", ["gateway"]),
        (["order", "list"], "--needs", ["--needs-review"]),
        (["completion"], "", ["bash", "zsh", "fish"]),
    ],
)
def test_what_is_offered_is_what_there_is(typed: list[str], begun: str, offered: list[str]) -> None:
    shell = ShellComplete(cli, {}, "ordermesh", "_ORDERMESH_COMPLETE")

    assert [item.value for item in shell.get_completions(typed, begun)] == offered
