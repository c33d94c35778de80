"""Seeing an order through for a caller who waits: in a task of its own, because it goes on when the caller is gone."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from kernel.clock import Clock
from kernel.errors import Refusal
from order_svc.app.changes import Changes, Watch
from order_svc.app.driver import Driver
from order_svc.app.ports import Orders
from order_svc.app.work import Work
from order_svc.domain.order import Order

# How long a waiter relies on being told before it looks for itself: another replica may have moved the order.
_LOOK_AGAIN_SECONDS = 0.5


class Attendance:
    """Drives an order, or waits while others do.

    Args:
        orders: Where orders are kept.
        driver: Sees them through.
        work: Runs what must go on when the caller is gone.
        changes: Tells waiters of moves.
        clock: The time.
    """

    def __init__(self, orders: Orders, driver: Driver, work: Work, changes: Changes, clock: Clock) -> None:
        self._orders = orders
        self._driver = driver
        self._work = work
        self._changes = changes
        self._clock = clock

    async def __call__(
        self, order: Order, leased_at: datetime | None, waits: Callable[[Order], bool], until: float
    ) -> Order:
        """Return the order as it stands when there is nothing more to wait for, or when the time is up.

        Args:
            order: As it was last committed.
            leased_at: When it was leased to this replica, to be driven here; None when others have it.
            waits: Whether there is still something to wait for.
            until: On the monotonic clock; the order goes on beyond it.
        """
        with self._changes.watching(order.order_id) as watch:
            if leased_at is not None:
                order = await self._driven(order, leased_at, watch, until)
            while waits(order) and (left := until - self._clock.monotonic()) > 0:
                order = await watch.next(min(left, _LOOK_AGAIN_SECONDS)) or await self._newest(order)
        return order

    async def _driven(self, order: Order, leased_at: datetime, watch: Watch, until: float) -> Order:
        task = self._work.start(self._driver.drive(order, "request", leased_at), f"drive {order.order_id}")
        done, _ = await asyncio.wait({task}, timeout=max(0.0, until - self._clock.monotonic()))
        if done and not task.cancelled() and task.exception() is None:
            return task.result()
        # Too slow for this caller, or a defect, which is logged where the task ends: the order is stored and goes on.
        return watch.latest or order

    async def _newest(self, order: Order) -> Order:
        try:
            return await self._orders.get(order.order_id) or order
        except Refusal:
            return order  # The order is stored; that the database is away just now does not change the answer.
