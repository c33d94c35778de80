"""What shops sent and were told, and what was done to the system meanwhile, on disk before and after each call."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

Json = dict[str, Any]


class History:
    """The file.

    Args:
        path: Where it is, a JSON object in each line.
    """

    def __init__(self, path: Path) -> None:
        self._started = time.monotonic()
        self._path = path
        self._file: TextIO = path.open("a")

    def note(self, **what: object) -> float:
        """Write a line and flush it; returns its time in seconds since the start."""
        at = round(time.monotonic() - self._started, 3)
        self._file.write(json.dumps({"at": at, **what}) + "\n")
        self._file.flush()
        return at

    def of(self, key: str) -> Iterator[str]:
        """Yield the lines about the order of a key, and those about the nemesis from its first line to its last."""
        lines = [(line, json.loads(line)) for line in self._path.read_text().splitlines()]
        about = [at for at, (_, entry) in enumerate(lines) if entry.get("key") == key]
        for line, entry in lines[about[0] : about[-1] + 1] if about else ():
            if entry.get("key") == key or "nemesis" in entry:
                yield line

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def kept_history(path: Path) -> Iterator[History]:
    """Keep a history in a file while the context is open."""
    history = History(path)
    try:
        yield history
    finally:
        history.close()
