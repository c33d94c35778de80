"""Tells those who wait for an order that it moved.

Within one process only: a waiter also looks at the database now and then, for moves that another replica made.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from order_svc.domain.order import Order


class Watch:
    """One waiter's view of one order: no move is missed between two looks at it.

    Attributes:
        latest: The order after its latest move; None until it moves.
    """

    def __init__(self) -> None:
        self.latest: Order | None = None
        self._moves: asyncio.Queue[Order] = asyncio.Queue()

    def tell(self, order: Order) -> None:
        """Add a move."""
        self.latest = order
        self._moves.put_nowait(order)

    async def next(self, seconds: float) -> Order | None:
        """Return the order after its next move; None when there was none in that time."""
        try:
            async with asyncio.timeout(seconds):
                return await self._moves.get()
        except TimeoutError:
            return None


class Changes:
    """Who waits for which order."""

    def __init__(self) -> None:
        # A dict for its order: whoever began to wait first is told first, in every run of a simulated world.
        self._watches: defaultdict[str, dict[Watch, None]] = defaultdict(dict)

    def publish(self, order: Order) -> None:
        """Hand the order as it is now to all who wait for it."""
        for watch in self._watches.get(order.order_id, ()):
            watch.tell(order)

    @contextmanager
    def watching(self, order_id: str) -> Iterator[Watch]:
        """Collect the moves of an order for as long as the context is open."""
        watch = Watch()
        watches = self._watches[order_id]
        watches[watch] = None
        try:
            yield watch
        finally:
            del watches[watch]
            if not watches:
                self._watches.pop(order_id, None)
