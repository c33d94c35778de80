"""Bodies that are still on their way: they may be slow, but never so many that nobody else finds a place.

An honest body is here with its head, or some milliseconds later. So where too many are on their way, whoever has been
sending for longest is cut off, and not whoever comes: a slow sender cannot keep the others out, however many of them it
is, unless it sends as much as they do.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from gateway.asgi import Exchange, HttpRefusal
from kernel.errors import Reason

# Together they leave two fifths of the places that there are for requests (edge.py) to those who are not slow.
MOST_OF_CALLERS = 400
MOST_OF_STRANGERS = 200

# Providers send from data centres, people who sign in send a hundred bytes: a megabyte at 200 kB/s.
STRANGERS_SECONDS = 5.0


class BodyLate(HttpRefusal):
    """The body was not here in time: 408, and the connection is closed, for its rest may come for ever."""

    status = HTTPStatus.REQUEST_TIMEOUT

    def __init__(self) -> None:
        super().__init__(Reason.DEADLINE_EXCEEDED, "The body of the request did not come in good time.")


class Bodies:
    """The bodies that come from one kind of sender.

    Args:
        most: So many may be on their way.
        seconds: How long one may take; None where nothing but the connection's own limit counts (limits.py).
    """

    def __init__(self, most: int, seconds: float | None = None) -> None:
        self._most = most
        self._seconds = seconds
        # In the order of their beginning.
        self._coming: dict[asyncio.Timeout, None] = {}

    async def read(self, exchange: Exchange, limit: int) -> bytes:
        """Return the whole body of at most that many bytes.

        Raises:
            BodyLate: It was not here in time, or others came while it was on its way.
            Refusal: As Exchange.body says; Disconnected likewise.
        """
        async with self.coming():
            return await exchange.body(limit)

    @asynccontextmanager
    async def coming(self) -> AsyncIterator[None]:
        """Wait for a body within a `with` block.

        Raises:
            BodyLate: As `read` says.
        """
        try:
            async with asyncio.timeout(self._seconds) as patience:
                self._coming[patience] = None
                if len(self._coming) > self._most:
                    self._cut_off_the_oldest()
                try:
                    yield
                finally:
                    self._coming.pop(patience, None)
        except TimeoutError:
            raise BodyLate from None

    def _cut_off_the_oldest(self) -> None:
        oldest = next(iter(self._coming))
        del self._coming[oldest]
        # One whose time is up already has only not come round to saying so.
        if not oldest.expired():
            oldest.reschedule(asyncio.get_running_loop().time())
