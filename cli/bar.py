"""The bar of `cli.progress`, drawn."""

import logging
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

# What is done sooner is not worth a bar that flashes up.
_PATIENCE_SECONDS = 0.5


class Bar(Progress):
    """One line, gone in the end: what is done, a bar, how much, since when. Log lines are written above it.

    What the command prints is not taken over, as Progress would: it may go elsewhere, into a file.

    Args:
        console: Where; standard error unless given.
        patience_seconds: How long nothing is drawn yet.
    """

    def __init__(self, console: Console | None = None, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
        )
        on = console or Console(stderr=True)
        # Progress asks for what is drawn when it is made.
        self._now, self._from = on.get_time, on.get_time() + patience_seconds
        super().__init__(*columns, console=on, transient=True, redirect_stdout=False)
        self._what = ""
        self._line: TaskID | None = None
        self._moved: list[logging.StreamHandler[TextIO]] = []

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return what is drawn now."""
        return super().get_renderables() if self._now() >= self._from else ()

    def start(self) -> None:
        """Begin to draw, and take over the log lines that go where it is drawn."""
        before = sys.stderr
        super().start()
        if sys.stderr is before:
            return
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(sys.stderr)
                self._moved.append(handler)

    def stop(self) -> None:
        """Take away what is drawn."""
        super().stop()
        for handler in self._moved:
            handler.setStream(sys.stderr)
        self._moved.clear()

    def told(self, what: str, done: float = 0, of: float | None = None, count: str | None = None) -> None:
        """Show it, as `cli.progress.Told` says."""
        shown = _counted(done, of) if count is None else count
        if self._line is not None and what == self._what:
            self.update(self._line, completed=done, total=of, count=shown)
            return
        if self._line is not None:
            self.remove_task(self._line)
        self._what, self._line = what, self.add_task(what, total=of, completed=int(done), count=shown)


def _counted(done: float, of: float | None) -> str:
    if of is not None:
        return f"{done:,.0f} of {of:,.0f}"
    return f"{done:,.0f}" if done else ""
