"""What sums that only grow have grown by lately: somebody who looks wants the last minute, and not a whole life."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from kernel.clock import Clock

T = TypeVar("T")

# How far back is looked, and how close together looks are kept: a board that is open looks every five seconds.
WINDOW_SECONDS: Final = 60.0
_APART_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Look(Generic[T]):
    at: float
    time: datetime
    value: T


class Lately(Generic[T]):
    """Remembers what a value was at earlier looks: a dozen of them at the most.

    Args:
        clock: The time.
        first: What the value is now.
    """

    def __init__(self, clock: Clock, first: T) -> None:
        self._clock = clock
        self._looks: deque[_Look[T]] = deque([_Look(clock.monotonic(), clock.now(), first)])

    def before(self, value: T) -> tuple[T, datetime]:
        """Return what the value was a minute ago, or at the last look before that, and when that was.

        Args:
            value: What it is now; kept for later looks.
        """
        now, looks = self._clock.monotonic(), self._looks
        while len(looks) > 1 and looks[1].at <= now - WINDOW_SECONDS:
            looks.popleft()
        if now - looks[-1].at >= _APART_SECONDS:
            looks.append(_Look(now, self._clock.now(), value))
        return looks[0].value, looks[0].time


def quantile(boundaries: Sequence[float], buckets: Sequence[int], share: float) -> float:
    """Return what so many of the values were at most, as nearly as their buckets tell.

    Within a bucket values are taken as evenly spread; those above the last boundary count as that boundary.

    Args:
        boundaries: Of the buckets, rising.
        buckets: How many values were at most each boundary and above the one before; one more for those above the last.
        share: 0.5 for the median.
    """
    wanted, below = share * sum(buckets), 0
    for place, boundary in enumerate(boundaries):
        inside = buckets[place]
        if inside and below + inside >= wanted:
            floor = boundaries[place - 1] if place else 0.0
            return floor + (boundary - floor) * (wanted - below) / inside
        below += inside
    return boundaries[-1] if below < sum(buckets) else 0.0
