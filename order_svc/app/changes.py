"""Tells those who wait for an order that it moved.

Within one process only: a waiter also looks at the database now and then, for moves that another replica made.
"""

import asyncio
from collections import defaultdict

from order_svc.domain.order import Order


class Changes:
    """Who waits for which order."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Future[Order]]] = defaultdict(set)

    def publish(self, order: Order) -> None:
        """Hand the order as it is now to all who wait for it."""
        for future in self._waiting.pop(order.order_id, ()):
            if not future.done():
                future.set_result(order)

    async def next(self, order_id: str, seconds: float) -> Order | None:
        """Wait for the order's next move; None when there was none in that time."""
        future: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._waiting[order_id].add(future)
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            waiting = self._waiting.get(order_id)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._waiting[order_id]
