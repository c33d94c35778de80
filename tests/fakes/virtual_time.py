"""Time that jumps: a loop that never waits, so that a half-hour timeout takes no time and every run is the same."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

# asyncio runs what is due within a nanosecond at once. Where time stood still for ever while the loop has something to
# do, whoever waits for the rest of that nanosecond would do so as well: after so many rounds a nanosecond has passed.
_ROUNDS_OF_A_NANOSECOND = 1_000

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class _NeverWaits(selectors.SelectSelector):
    """Lets the loop's clock jump to the next timer where it would have waited for it. Never asks the kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits and nothing is going to happen")
        self._rounds = 0 if timeout else self._rounds + 1
        self.passed += 1e-9 if self._rounds and self._rounds % _ROUNDS_OF_A_NANOSECOND == 0 else timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop for coroutines that use timers alone: no threads, no sockets."""

    def __init__(self) -> None:
        self._never_waits = _NeverWaits()
        super().__init__(self._never_waits)

    def time(self) -> float:
        return self._never_waits.passed


class LoopClock:
    """The kernel's Clock on the running loop's time."""

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
