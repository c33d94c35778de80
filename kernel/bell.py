"""How whoever leaves work for a worker tells it to look."""

import asyncio

from kernel.clock import Clock


class Bell:
    """Wakes a worker, also when it is rung before anybody listens.

    Args:
        clock: For waits that end without a ring.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Say that there is something to look at."""
        self._rung.set()

    def hush(self) -> None:
        """Forget the rings so far; call it before looking."""
        self._rung.clear()

    async def wait(self, seconds: float) -> None:
        """Wait until it is rung, at most that long."""
        waits = [asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._rung.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
