"""The overview for whoever watches: counted seldom enough that watching costs nothing that is noticed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from kernel.clock import Clock
from order_svc.app.ports import Orders
from order_svc.domain.overview import Counted, Overview, Queue, StepTimes

_MINUTE = timedelta(minutes=1)

# Boards ask every five seconds, each for itself; one count serves all of them.
_KEPT_SECONDS = 2.0

# Counting may take a fortieth of one connection's time, however much an outage has left to count.
_RESTS = 40.0

# So many orders of a state are counted. Counting ten million took seconds, and was given up where their index was not
# in memory; this many take milliseconds.
_MOST_OF_A_STATE = 10_000


class Measured(Protocol):
    """What this replica has measured of itself."""

    def queues(self) -> Sequence[Queue]:
        """Return what waits besides tasks, as it was last looked at."""
        ...

    def steps(self) -> tuple[Sequence[StepTimes], datetime]:
        """Return how long steps took lately, and since when that is."""
        ...


class GetOverview:
    """The use case.

    Args:
        orders: Where orders are kept.
        measured: What this replica has measured of itself.
        clock: The time.
    """

    def __init__(self, orders: Orders, measured: Measured, clock: Clock) -> None:
        self._orders = orders
        self._measured = measured
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._last: tuple[Counted, datetime] | None = None
        self._good_until = 0.0

    async def __call__(self) -> Overview:
        """Return how the orders are doing.

        Raises:
            Refusal: The database is away.
        """
        counted, counted_at = await self._count()
        steps, since = self._measured.steps()
        return Overview(counted, counted_at, self._measured.queues(), steps, since)

    async def _count(self) -> tuple[Counted, datetime]:
        async with self._one_at_a_time:
            began = self._clock.monotonic()
            if self._last is None or began >= self._good_until:
                now = self._clock.now()
                self._last = await self._orders.counted(now - _MINUTE, _MOST_OF_A_STATE), now
                ended = self._clock.monotonic()
                self._good_until = ended + max(_KEPT_SECONDS, _RESTS * (ended - began))
            return self._last
