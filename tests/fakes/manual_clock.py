"""A clock that stands still until a test moves it."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

_START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class ManualClock:
    """Time as the test tells it; whoever sleeps wakes when `advance` passes his hour."""

    def __init__(self, start: datetime = _START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._someone_sleeps = asyncio.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        waking = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), waking))
        self._someone_sleeps.set()
        await waking

    def advance(self, seconds: float) -> None:
        """Move on, and wake everyone whose hour has come."""
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            _, _, waking = heapq.heappop(self._sleepers)
            if not waking.done():
                waking.set_result(None)

    async def until_asleep(self, seconds: float) -> None:
        """Wait until somebody sleeps for exactly this long from now."""
        while not any(
            abs(due - self._elapsed - seconds) < 1e-9 and not waking.done() for due, _, waking in self._sleepers
        ):
            self._someone_sleeps.clear()
            await self._someone_sleeps.wait()
