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


@pytest.mark.parametrize(
    ("shell", "typed", "said"),
    [
        ("fish", ("ordermesh serv", "serv"), "plain,serve\tRun one part of the mesh in this process."),
        ("fish", ("ordermesh sett", "sett"), "plain,settings\tList every setting, its default and what it is."),
        ("fish", ("ordermesh order list --state=pe", "--state=pe"), "plain,pending"),
        ("fish", ("ordermesh order place --file=ex", "--file=ex"), "file,ex"),
        ("zsh", ("ordermesh order li", "2"), "plain\nlist\nList orders, newest first."),
        ("zsh", ("ordermesh order list --state=pe", "3"), "plain\npending\n_"),
        ("bash", ("ordermesh order list --needs", "3"), "plain,--needs-review"),
    ],
)
def test_a_shells_script_is_answered_in_its_own_way(shell: str, typed: tuple[str, str], said: str) -> None:
    words, word = typed
    asked = {"_ORDERMESH_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": word}

    done = CliRunner().invoke(cli, [], env=asked, prog_name="ordermesh")

    assert (done.exit_code, done.output) == (0, said + "\n")


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        # Help texts have commas.
        ("fish", 'string split -m 1 "," --'),
        # What stands before a value in one word with it has to be offered again.
        ("fish", 'echo "$option$offer[2]"'),
        ("zsh", 'option="${words[CURRENT]%%=*}="'),
        ("zsh", 'compadd -U -V unsorted -p "$option"'),
    ],
)
def test_a_script_mends_what_clicks_own_gets_wrong(shell: str, said: str) -> None:
    assert said in CliRunner().invoke(cli, ["completion", shell]).output
