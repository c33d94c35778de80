"""What goes when it is old, and what never does, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import notify_svc.__main__ as notify
import order_svc.__main__ as order_service
import payment_svc.__main__ as payment
from chassis.storage import migrations
from chassis.storage.retention import Rule, Taken, keep_to
from chassis.storage.store import Store, open_store
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids
from kernel.request import Request
from notify_svc.adapters import retention as of_notify
from notify_svc.adapters.notifications_store import NotificationsStore
from notify_svc.domain import sending
from order_svc.adapters import retention as of_order
from order_svc.adapters.orders_store import OrdersStore
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.task import Task, TaskKind
from payment_svc.adapters import retention as of_payment
from payment_svc.adapters.payments_store import StoredPayments
from payment_svc.app.ports import ProviderEvent
from tests.fakes import notify_samples
from tests.fakes.order_moves import fresh, move, moved, store, told
from tests.fakes.order_samples import a_request

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=2000)


class SetClock(SystemClock):
    """A clock that shows what it is told to, and sleeps as long as it is asked to."""

    def __init__(self, shown: datetime) -> None:
        self.shown = shown

    def now(self) -> datetime:
        return self.shown


CLOCK = SetClock(NOW)
AS_THEN = Uuid7Ids(SetClock(OLD))


@asynccontextmanager
async def opened(url: str, service: object) -> AsyncIterator[Store]:
    """Open a service's tables."""
    await asyncio.to_thread(migrations.run, url, service.MIGRATIONS)  # type: ignore[attr-defined]  # a service's __main__
    kept = await open_store(url, metadata=service.METADATA)  # type: ignore[attr-defined]  # likewise
    try:
        yield kept
    finally:
        await kept.close()


async def taken(kept: Store, rules: Iterable[Rule]) -> dict[str, int]:
    """Count what would go, take it away, and return how much of each that was: the same."""
    counted = {rule.name: (await keep_to(kept, rule, rule.days, CLOCK, dry_run=True, window=2)).rows for rule in rules}
    gone = {rule.name: (await keep_to(kept, rule, rule.days, CLOCK, dry_run=False, window=2)).rows for rule in rules}
    again = {rule.name: (await keep_to(kept, rule, rule.days, CLOCK, dry_run=False, window=2)).rows for rule in rules}
    assert set(again.values()) == {0}
    # What had nothing under it before may have something now: messages go once their deliveries went.
    assert all(gone[name] >= counted[name] for name in gone)
    return gone


async def an_order(orders: OrdersStore, state: State, *, done: bool = True, **changes: object) -> Order:
    """Store an old order in the state, with a task."""
    placed = await store(orders, fresh(Stage.CHARGING, order_id=AS_THEN.new(), created_at=OLD, updated_at=OLD))
    kept = await move(orders, moved(placed, Stage.SETTLED, state=state, tasks=(TaskKind.COMMIT_TAX,), **changes))
    if done:
        await orders.finish_task(Task(kept.order_id, TaskKind.COMMIT_TAX, 2, 1, done=True, result="doc"), None)
    return kept


async def test_orders_that_are_over_lose_their_story_and_nothing_else(database_url: str) -> None:
    async with opened(database_url, order_service) as kept:
        orders = OrdersStore(kept, CLOCK, "here", "1")
        over = [await an_order(orders, state) for state in (State.DELIVERED, State.FAILED, State.CANCELLED)]
        others = [
            await an_order(orders, State.PAID),
            await an_order(orders, State.SHIPPED),
            await an_order(orders, State.DELIVERED, done=False),
            await an_order(orders, State.DELIVERED, needs_review=True),
            await an_order(orders, State.DELIVERED, updated_at=NOW - timedelta(days=10)),
        ]

        gone = await taken(kept, of_order.RULES)

        assert gone == {"journal": 6, "tasks": 3, "declines": 0, "deliveries": 0, "messages": 0, "keys": 8}
        for each in over:
            story = await told(orders, each)
            assert (story.order, story.events, story.tasks) == (each, [], [])
        for each in others:
            story = await told(orders, each)
            assert (story.order, len(story.events), len(story.tasks)) == (each, 2, 1)


async def test_after_each_window_it_says_how_far_it_is(database_url: str) -> None:
    async with opened(database_url, order_service) as kept:
        orders = OrdersStore(kept, CLOCK, "here", "1")
        for _ in range(3):
            await store(orders, fresh(order_id=AS_THEN.new(), created_at=OLD, updated_at=OLD))
        keys = next(rule for rule in of_order.RULES if rule.name == "keys")
        told: list[Taken] = []

        taken = await keep_to(kept, keys, 1, CLOCK, dry_run=True, window=2, told=told.append)

        assert [(each.windows, each.rows) for each in told] == [(1, 2), (2, 3)]
        assert told[-1] == taken


async def test_a_key_is_known_until_it_is_old(database_url: str) -> None:
    async with opened(database_url, order_service) as kept:
        orders = OrdersStore(kept, CLOCK, "here", "1")
        young = await store(orders, fresh(created_at=NOW, updated_at=NOW))
        keys = next(rule for rule in of_order.RULES if rule.name == "keys")

        assert (await keep_to(kept, keys, 1, CLOCK, dry_run=False)).rows == 0

        assert await orders.find(a_request(young.order_id)) == ("f" * 64, young)


async def test_old_mails_forget_their_readers_but_not_that_they_were_sent(database_url: str) -> None:
    async with opened(database_url, notify) as kept:
        notifications = NotificationsStore(kept, CLOCK)
        waiting = notify_samples.notification(OLD, notification_id=AS_THEN.new())
        begun = sending.begun(notify_samples.notification(OLD, notification_id=AS_THEN.new()), OLD)
        for number, each in enumerate((waiting, begun)):
            assert await notifications.add(Request("local", f"key-{number}", "f" * 64), each)
        sent = sending.sent(begun, "message-1", OLD)
        assert await notifications.update(begun, sent)
        heard = notify_samples.event("delivered", sent.notification_id)
        assert await notifications.ingest([replace(heard, occurred_at=OLD)]) == 1

        gone = await taken(kept, of_notify.RULES)

        assert gone == {"bodies": 1, "events": 0, "keys": 2}
        assert await notifications.get(waiting.notification_id) == waiting
        forgotten = await notifications.get(sent.notification_id)
        assert forgotten is not None
        assert (forgotten.recipient_email, forgotten.recipient_name, forgotten.summary.lines) == ("", "", ())
        assert forgotten.summary.ship_to.line1 == ""
        assert (forgotten.summary.total, forgotten.summary.order_id) == (sent.summary.total, sent.summary.order_id)
        assert (forgotten.state.value, forgotten.sent_at) == ("DELIVERED", sent.sent_at)


async def test_events_that_are_not_applied_stay(database_url: str) -> None:
    async with opened(database_url, payment) as kept:
        payments = StoredPayments(kept, CLOCK)
        for name, at, look_at in (("waits", OLD, OLD), ("applied", OLD, None), ("young", NOW, None)):
            await payments.add_event(ProviderEvent(name, "payment_intent.succeeded", "pi_1"), at, look_at)

        assert await taken(kept, of_payment.RULES) == {"events": 1}

        assert [event.event_id for event, _ in await payments.due_events(NOW, 9)] == ["waits"]
        assert not await payments.add_event(ProviderEvent("young", "x", ""), NOW, None)
