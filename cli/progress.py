"""How far a command is that takes its time, on a terminal: one place for all of them.

What is drawn stands on standard error and is gone when the work is done, so what a command prints stays what it is.
Where nobody watches, in scripts, logs and CI, nothing is drawn, and nothing either where a program asked (-o json).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click


class Told(Protocol):
    """Is told how far the work is, as often as it likes."""

    def __call__(self, what: str, done: float = 0, of: float | None = None, count: str | None = None) -> None:
        """Show it.

        Args:
            what: Is being done now.
            done: How much of it is.
            of: How much there is to do; None where nobody knows: the bar then moves by itself.
            count: How much is done, in words, where the numbers alone do not say it.
        """
        ...


def silent(what: str, done: float = 0, of: float | None = None, count: str | None = None) -> None:
    """Show nothing."""


@contextmanager
def progress(*, watched: bool = True) -> Iterator[Told]:
    """Show how far the work of the block is, from the first thing on that is told.

    Args:
        watched: Whether this process is the one that a person started, and not one of several that it has started.
    """
    if not watched or _asked_by_a_program() or not sys.stderr.isatty():
        yield silent
        return
    from cli.bar import Bar  # noqa: PLC0415  (10 MB, which a service that nobody watches does without)

    with Bar() as bar:
        yield bar.told


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show that the block is waited for, where nobody can say how far it is."""
    with progress() as told:
        told(what)
        yield


def _asked_by_a_program() -> bool:
    command = click.get_current_context(silent=True)
    return command is not None and command.params.get("output") == "json"
