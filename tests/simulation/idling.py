"""Clocks for workers that look for what is due every few seconds: the looks that would find nothing are left out.

Over an outage of hours or a customer's half hour nearly all looks are of that kind, and they would take most of a run.
A look that is left out reads what the look before read: nothing was written since that would be due by then. Whatever
is due is looked at when it would have been, to the tick of the worker's own period.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from tests.fakes.virtual_time import BEGIN
from tests.simulation.process import Process
from tests.simulation.shelf import Shelf
from tests.simulation.world import SimClock, World

_BEGIN_MS = int(BEGIN.timestamp() * 1000)

# What each worker looks for: when the earliest of it is due.
ORDERS_DUE = """
SELECT min(due) FROM (SELECT min(wake_at) AS due FROM orders UNION ALL SELECT min(due_at) FROM order_tasks)
"""
PAYMENTS_DUE = """
SELECT min(due) FROM (
  SELECT min(look_at) AS due FROM payments UNION ALL
  SELECT min(look_at) FROM refunds UNION ALL
  SELECT min(look_at) FROM stripe_events
)
"""
HOOKS_DUE = """
SELECT min(due) FROM (
  SELECT min(created_at) AS due FROM webhook_messages WHERE NOT shared UNION ALL
  SELECT min(due_at) FROM webhook_deliveries
)
"""
MAILS_DUE = "SELECT min(due_at) FROM notifications"
NEWS_DUE = "SELECT min(news_at) FROM payments"
MAIL_NEWS_DUE = "SELECT min(news_at) FROM notifications"

# Without orders that wait for a person, or that are tried again though one has to look at them.
UNPARKED_DUE = """
SELECT min(due) FROM (
  SELECT min(wake_at) AS due FROM orders WHERE NOT needs_review UNION ALL
  SELECT min(due_at) FROM order_tasks
)
"""

# Orders that a person has to look at, and that are tried again all the same.
RETRIED_DUE = "SELECT min(wake_at) FROM orders WHERE needs_review"

# Orders that go on only when a person says so.
PARKED_SINCE = """
SELECT min(updated_at) FROM orders WHERE needs_review AND wake_at IS NULL AND stage <> 'SETTLED'
"""

# What keeps the payment service from being done; a payment that the provider may still move on does not.
PAYMENTS_OPEN = """
SELECT min(since) FROM (
  SELECT min(created_at) AS since FROM refunds WHERE state = 'PENDING' UNION ALL
  SELECT min(look_at) FROM stripe_events
)
"""


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a worker looks for.

    Attributes:
        shelf: Where it looks.
        query: Returns one value: when the earliest of it is due, in milliseconds since 1970; NULL for never.
    """

    shelf: Shelf
    query: str

    def due(self) -> float | None:
        """Return the moment of the loop's time from which on a look finds something; None for never."""
        earliest = self.shelf.earliest(self.query)
        # The database's clock ticks in milliseconds, which the loop's time may still be a rounding error short of.
        return None if earliest is None else (earliest - _BEGIN_MS + 1) / 1_000

    async def reached(self) -> None:
        """Wait until something is due."""
        loop = asyncio.get_running_loop()
        while (due := self.due()) is None or due > loop.time():
            await self.shelf.written(due)


_WITH_NEWS = "SELECT json_group_array(order_id) FROM notifications WHERE news_at IS NOT NULL AND ?"
_ONE_LISTENS = """
SELECT 1 FROM orders JOIN json_each(?) ON order_id = value WHERE stage IN ('SETTLED', 'HOLDING') LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class MailNews:
    """What who listens for mails that did not arrive looks for: news of an order that takes it in now.

    An order that is busy hears of its mails later, which may be in a day: whoever asks before that finds what he found.

    Attributes:
        mails: Where news is.
        orders: Where orders are.
    """

    mails: Shelf
    orders: Shelf

    def due(self) -> float | None:
        """Return as Agenda does."""
        since = Agenda(self.mails, MAIL_NEWS_DUE).due()
        return since if since is not None and self.is_heard() else None

    def is_heard(self) -> bool:
        """Say whether an order with news takes it in now."""
        (order_ids,) = self.mails.row(_WITH_NEWS, "1")
        return self.orders.row(_ONE_LISTENS, order_ids) is not None

    async def reached(self) -> None:
        """Wait until there is some."""
        loop = asyncio.get_running_loop()
        while (due := self.due()) is None or due > loop.time():
            await first_of(self.mails.written(due), self.orders.written(due))


async def first_of(*waits: Coroutine[object, object, None]) -> None:
    """Wait until one of them is over, and leave the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


class WorkerClock(SimClock):
    """The clock of a worker, whose every sleep is the pause between two looks.

    Args:
        world: Where it is.
        process: Whose worker it is.
        agenda: What it looks for.
        own: Tells whether the sleep that begins is the worker's; others that use the clock sleep as usual.
    """

    def __init__(
        self, world: World, process: Process, agenda: Agenda | MailNews, own: Callable[[], bool] = lambda: True
    ) -> None:
        super().__init__(world, process)
        self._agenda = agenda
        self._own = own

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        own, began = self._own(), loop.time()
        await super().sleep(seconds)
        if own:
            await self._agenda.reached()
            ticks = math.ceil((loop.time() - began) / seconds)
            await super().sleep_until(began + ticks * seconds)
