"""How far a command is: drawn for who watches, and for nobody else."""

import io
import logging
import sys

import click
import pytest
from rich.console import Console

from cli.bar import Bar
from cli.progress import Told, progress


class Terminal(io.StringIO):
    """Standard error as a person has it."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def drawn(*told: tuple[str, float, float | None, str | None], patience_seconds: float = 0.0) -> str:
    """Return what was drawn for what was told."""
    terminal = io.StringIO()
    with Bar(Console(file=terminal, force_terminal=True, width=100), patience_seconds) as bar:
        for each in told:
            bar.told(*each)
            bar.refresh()
    return terminal.getvalue()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("placing orders", 1, 4, None), "1 of 4"),
        (("reading orders", 12_200, None, None), "12,200"),
        (("copying order", 5_000_000, 9_000_000, "5 of 9 MB"), "5 of 9 MB"),
        (("checking order", 0, None, None), "checking order"),
    ],
)
def test_what_is_done_and_how_much_is_shown(told: tuple[str, float, float | None, str | None], said: str) -> None:
    shown = drawn(told)

    assert told[0] in shown
    assert said in shown


def test_what_comes_next_takes_the_place_of_what_is_done() -> None:
    last = drawn(("copying order", 9, 9, None), ("checking order", 0, None, None)).rpartition("copying order")[2]

    assert "checking order" in last
    assert "9 of 9" not in last.partition("checking order")[2]


def test_nothing_is_left_of_it_and_the_cursor_is_back() -> None:
    shown = drawn(("placing orders", 1, 4, None))

    assert shown.rindex("\x1b[2K") > shown.rindex("placing orders"), "the line is wiped"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1


def test_ctrl_c_leaves_a_clean_terminal() -> None:
    terminal = io.StringIO()

    def interrupted() -> None:
        with Bar(Console(file=terminal, force_terminal=True), 0.0) as bar:
            bar.told("placing orders", 1, 4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("placing orders")


def test_what_is_done_at_once_flashes_nothing_up() -> None:
    assert "placing" not in drawn(("placing orders", 1, 4, None), patience_seconds=3600.0)


def test_log_lines_are_written_above_it_and_afterwards_where_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    handler = logging.StreamHandler(terminal)
    logger = logging.getLogger()
    logger.addHandler(handler)
    try:
        with Bar(Console(stderr=True, force_terminal=True, width=100), 0.0) as bar:
            bar.told("starting order", 4, 6)
            logger.warning("tables.newer")
            assert handler.stream is not terminal
        logger.warning("later")
    finally:
        logger.removeHandler(handler)

    assert handler.stream is terminal
    above, _, below = terminal.getvalue().partition("tables.newer\n")
    assert above.endswith(("\x1b[2K", "\r", "\x1b[1A")) or above == ""
    assert "starting order" in below
    assert below.endswith("later\n")


@click.command()
@click.option("--output")
@click.pass_context
def working(_context: click.Context, output: str | None) -> None:
    """Work, and say who hears how far it is."""
    with progress() as told:
        click.echo(f"{output}: {hears(told)}")


def hears(told: Told) -> str:
    """Return who is told."""
    return "a bar" if isinstance(getattr(told, "__self__", None), Bar) else "nobody"


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "None: a bar"), (("--output", "table"), "table: a bar"), (("--output", "json"), "json: nobody")],
)
def test_who_asked_for_json_is_shown_nothing(
    words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())

    working(list(words), standalone_mode=False)

    assert capsys.readouterr().out.strip() == said


def test_in_scripts_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as told:
        told("our orders", 200)
        assert hears(told) == "nobody"

    assert capsys.readouterr() == ("", "")


def test_a_process_that_another_one_has_started_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())

    with progress(watched=False) as told:
        assert hears(told) == "nobody"
