"""The notify service's use cases put together on fakes and a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from chassis.service import Tasks
from kernel.bell import Bell
from notify_svc.app.accept import SendNotification
from notify_svc.app.dispatch import Dispatch, Slots
from notify_svc.app.worker import Worker
from notify_svc.domain.notification import Kind, Notification
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_mailer import FakeMailer
from tests.fakes.notify_notifications import FakeNotifications
from tests.fakes.notify_samples import EMAIL, CountingIds, request, summary
from tests.fakes.notify_telling import FakeTelling

SLOTS = 4


@dataclass
class Office:
    """One replica with its worker, over a store that outlives it."""

    clock: ManualClock
    mailer: FakeMailer
    store: FakeNotifications
    telling: FakeTelling
    dispatch: Dispatch
    send: SendNotification
    bell: Bell

    async def accept(self, request_id: str = "key-1", order_id: str = "") -> Notification:
        """Have a notification sent."""
        return await self.send(
            request(request_id), Kind.ORDER_CONFIRMATION, EMAIL, "Ada", summary(order_id), "traceparent"
        )

    def now(self, notification: Notification) -> Notification:
        """Return the notification as it stands."""
        return self.store.rows[notification.notification_id]

    async def settle(self) -> None:
        """Let everybody do what can be done without time passing."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float, step: float = 0.25) -> None:
        """Let time pass in steps, and everybody do what he does meanwhile."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            await self.settle()


@asynccontextmanager
async def office(store: FakeNotifications | None = None, mailer: FakeMailer | None = None) -> AsyncIterator[Office]:
    """Run a replica's worker; given a store, over what is in it."""
    clock = ManualClock()
    store = store or FakeNotifications(clock)
    store._clock = clock
    mailer = mailer or FakeMailer()
    telling, slots, tasks = FakeTelling(), Slots(SLOTS), Tasks()
    bell = Bell(clock)
    dispatch = Dispatch(mailer, store, slots, bell, clock, lambda: 1.0, telling)
    worker = Worker(mailer, store, slots, dispatch, tasks, bell, clock, telling)
    send = SendNotification(store, dispatch, bell, tasks, clock, CountingIds(), lambda tag: tag or "en-US")
    running = asyncio.create_task(worker.run())
    try:
        yield Office(clock, mailer, store, telling, dispatch, send, bell)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await tasks.close(0.0)
