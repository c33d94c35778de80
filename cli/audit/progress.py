"""How far an audit is, on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.audit.collect import Progress as Told

# Seven lists are read, and then compared.
_STEPS = 8


@contextmanager
def progress_bar() -> Iterator[Told]:
    """Draw a bar on standard error while the block runs; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield _silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=_STEPS, count="")
        steps: list[str] = []

        def told(what: str, count: int) -> None:
            if what not in steps:
                steps.append(what)
            bar.update(task, description=what, completed=len(steps) - 1, count=f"{count:,}" if count else "")

        yield told


def _silent(_what: str, _count: int) -> None:
    """Draw nothing."""
