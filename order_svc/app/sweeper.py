"""Takes up what was left behind: orders and tasks whose time has come and that no living replica holds."""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime

from kernel.bell import Bell
from kernel.clock import Clock
from order_svc.app.driver import Driver
from order_svc.app.outbox import Outbox
from order_svc.app.ports import Orders
from order_svc.app.telling import Telling
from order_svc.app.turns import take_turns
from order_svc.app.work import Work
from order_svc.domain.order import Order
from order_svc.domain.task import Task
from order_svc.domain.transition import Transition

_logger = logging.getLogger(__name__)

# How often it says what is not finished: collectors read gauges every ten seconds at the most.
_TELL_SECONDS = 10.0

# How many orders it takes up at a time: enough to drain a backlog fast, few enough to share it with other replicas.
_BATCH = 50

# How many it sees through at once. While a provider is away each waits for a timeout; the others must not wait for
# them.
_MOST_AT_ONCE = 200


class Sweeper:
    """Looks, claims, drives.

    Args:
        orders: Where orders are kept.
        driver: Sees orders through.
        outbox: Does tasks.
        work: Runs them side by side.
        bell: Is rung when something was made due.
        clock: The time.
        telling: Traces and measures.
        lease_seconds: How long a claim lasts.
    """

    def __init__(
        self,
        orders: Orders,
        driver: Driver,
        outbox: Outbox,
        work: Work,
        bell: Bell,
        clock: Clock,
        telling: Telling,
        *,
        lease_seconds: float,
    ) -> None:
        self._orders = orders
        self._driver = driver
        self._outbox = outbox
        self._work = work
        self._bell = bell
        self._clock = clock
        self._telling = telling
        self._lease_seconds = lease_seconds
        self._tell_at = 0.0
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Sweep for ever; a database that is away is waited for, and no defect ends it."""
        await take_turns(self.sweep, self._bell, _logger, "sweep")

    async def sweep(self) -> bool:
        """Take up what there is room for, and say whether there may be more to take up at once."""
        room = min(_BATCH, _MOST_AT_ONCE - len(self._running))
        if room <= 0:
            return False
        now = self._clock.now()
        due = await self._orders.due()
        orders = await self._orders.claim_orders(room, self._lease_seconds) if due.orders else ()
        for order in orders:
            self._begin(self._resume(order, now), f"resume {order.order_id}")
        tasks = await self._orders.claim_tasks(room, self._lease_seconds) if due.tasks else ()
        for task, order in tasks:
            self._begin(self._outbox.do(task, order), f"task {task.name}")
        await self._tell()
        return len(orders) == room or len(tasks) == room

    async def _tell(self) -> None:
        if self._clock.monotonic() >= self._tell_at:
            self._telling.backlog(await self._orders.backlog())
            self._tell_at = self._clock.monotonic() + _TELL_SECONDS

    def _begin(self, work: Coroutine[object, object, None], name: str) -> None:
        task = self._work.start(work, name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _resume(self, order: Order, claimed_at: datetime) -> None:
        with self._telling.resumed(order):
            await self._driver.drive(order, "sweeper", claimed_at)


class FirstTry:
    """Does an order's tasks right after the commit that stored them, without waiting for a sweep.

    Args:
        outbox: Does tasks.
        work: Runs them beside the answer to the caller.
    """

    def __init__(self, outbox: Outbox, work: Work) -> None:
        self._outbox = outbox
        self._work = work

    def __call__(self, transition: Transition) -> None:
        """Begin the tasks that a move has just left behind, but for those that are to wait."""
        order = transition.order
        for new in transition.tasks:
            if not new.delay:
                task = Task(order.order_id, new.kind, number=new.number)
                self._work.start(self._outbox.do(task, order), f"task {task.name}")
