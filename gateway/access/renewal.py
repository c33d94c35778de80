"""Reading something anew, again and again: once at a time for all who want it, and in nobody's way while it fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kernel.clock import Clock

_logger = logging.getLogger(__name__)


class Renewal:
    """Reads in a task of its own, so that whoever asked for it may leave without taking it along.

    Attributes:
        read_at: When the last reading that succeeded began, in monotonic seconds.

    Args:
        read: Reads, and keeps what it has read.
        clock: The time.
        failed: The event that the log has when it fails.
        pause_seconds: After a failure it is not tried again for so long.
        longest_seconds: A reading that takes longer has failed.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[None]],
        clock: Clock,
        *,
        failed: str,
        pause_seconds: float,
        longest_seconds: float,
    ) -> None:
        self._read = read
        self._clock = clock
        self._failed = failed
        self._pause_seconds = pause_seconds
        self._longest_seconds = longest_seconds
        self._failed_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self.read_at = float("-inf")

    @property
    def under_way(self) -> bool:
        """Whether it is being read."""
        return self._reading is not None

    def begin(self) -> None:
        """Have it read anew, unless it is being read, or has just failed."""
        now = self._clock.monotonic()
        if self._reading is None and now >= self._failed_at + self._pause_seconds:
            self._reading = asyncio.create_task(self._run(now), name=self._failed.partition(".")[0])

    async def done(self, *, known: bool) -> None:
        """Have it read anew, and wait for that; whether it succeeded, `read_at` tells.

        Args:
            known: Whether whoever asks can go on with what was read before. Then they do not wait for what has just
                failed: the next try begins after the pause and is over within the longest time, so while tries fail one
                after the other, none is waited for. Others wait for each try, and for none during a pause.
        """
        self.begin()
        in_trouble_until = self._failed_at + self._pause_seconds + self._longest_seconds
        if self._reading is not None and not (known and self._clock.monotonic() < in_trouble_until):
            await asyncio.wait({self._reading})

    async def close(self) -> None:
        """Give up what is being read."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _run(self, now: float) -> None:
        try:
            async with asyncio.timeout(self._longest_seconds):
                await self._read()
            self.read_at = now
            self._failed_at = float("-inf")
        except Exception as error:  # noqa: BLE001  (whatever is wrong, what is known goes on being good for a while)
            self._failed_at = self._clock.monotonic()
            _logger.warning(self._failed, extra={"error": type(error).__name__})
        finally:
            self._reading = None
