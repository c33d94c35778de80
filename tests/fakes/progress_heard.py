"""Somebody who watches a command, and writes down what is shown of how far it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli.progress import Told


class Heard:
    """Stands where `cli.progress.progress` does.

    Args:
        then: Does something whenever something was told.

    Attributes:
        told: What was told, in order: what, how much is done, of how much.
        counts: How much in words, where it was told so.
        open: Whether it is shown now.
    """

    def __init__(self, then: Callable[[str], object] | None = None) -> None:
        self._then = then
        self.told: list[tuple[str, float, float | None]] = []
        self.counts: list[str] = []
        self.open = False

    @contextmanager
    def progress(self, *, watched: bool = True) -> Iterator[Told]:
        """Listen while the block runs."""
        self.open = watched
        try:
            yield self._tell
        finally:
            self.open = False

    def _tell(self, what: str, done: float = 0, of: float | None = None, count: str | None = None) -> None:
        self.told.append((what, done, of))
        if count:
            self.counts.append(count)
        if self._then is not None:
            self._then(what)
