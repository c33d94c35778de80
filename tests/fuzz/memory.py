"""Whether processes keep what they are given: their memory, looked at all the while."""

import re
import statistics
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_EVERY_SECONDS = 0.5
# What a process may have grown by from the middle of a run to its end. Until the middle, pools and caches fill. From
# there on what is in use stays the same (order_svc: 37 MiB of malloc's, 440,000 blocks of Python's, call after call),
# but the heap is left with holes where requests of up to a mebibyte lay: some 4 MiB more per 15,000 calls until there
# are holes enough. 16 MiB in the 50,000 calls of half a run are 336 bytes a call: less than keeping anything of each.
MOST_GROWTH_KIB = 16 * 1024
_WINDOWS = 5


class Memory:
    """Looks at processes while the context is open.

    Args:
        pids: Their ids, by name.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._seen: dict[str, list[int]] = {name: [] for name in pids}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def report(self) -> list[str]:
        """Return a line for each process, as a person reads it."""
        return [
            f"{name}: " + ", ".join(f"{each / 1024:.1f}" for each in medians(seen)) + " MiB in each fifth of the run"
            for name, seen in self._seen.items()
        ]

    def grown(self) -> list[str]:
        """Return a line for each process that has gone on growing."""
        return [
            f"{name} has grown by {growth(seen) / 1024:.1f} MiB from the middle of the run to its end"
            for name, seen in self._seen.items()
            if growth(seen) > MOST_GROWTH_KIB
        ]

    def _look(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            for name, pid in self._pids.items():
                self._seen[name].append(resident_kib(pid))


def medians(seen: list[int]) -> list[float]:
    """Return the median of each fifth of what was seen, in the order of time; all of it when there is too little."""
    size = len(seen) // _WINDOWS
    if not size:
        return [float(each) for each in seen]
    return [statistics.median(seen[place * size : (place + 1) * size]) for place in range(_WINDOWS)]


def growth(seen: list[int]) -> float:
    """Return the KiB by which the last fifth lies above the one in the middle."""
    each = medians(seen)
    return each[-1] - each[len(each) // 2] if each else 0.0


def resident_kib(pid: int) -> int:
    """Return how much memory a process has in use; 0 once it has ended, which others tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) if found else 0
