"""What outgoing webhooks rely on in their ports: true of the fake in memory and of the stores on both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from chassis.storage.changes import Change, Insert
from chassis.storage.store import Store, open_store
from kernel.outcome import Done
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters import webhook_rows
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA
from order_svc.adapters.webhook_announcer import Announcer
from order_svc.adapters.webhook_deliveries_store import DeliveriesStore
from order_svc.adapters.webhook_endpoints_store import EndpointsStore
from order_svc.adapters.webhook_tables import WEBHOOK_MESSAGES
from order_svc.app.ports import Moved
from order_svc.app.webhook_ports import (
    Audience,
    DeliveryFilter,
    DeliveryLog,
    Endpoints,
    HookCommand,
    HookQueue,
    KeyTaken,
    Used,
)
from order_svc.domain.order import Stage, State
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.webhook import Message
from order_svc.domain.webhook_delivery import Answer, Delivery, DeliveryState, after_attempt, replayed
from order_svc.domain.webhook_endpoint import Endpoint
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_moves import CLOCK, IDS, fresh, moved, pay, store
from tests.fakes.order_samples import a_request, an_event
from tests.fakes.webhook_samples import MINUTE, OVER, a_message, a_secret, an_endpoint
from tests.fakes.webhooks_in_memory import FakeWebhooks, HookDatabase


@dataclass(frozen=True)
class Replica:
    """One replica's ports."""

    endpoints: Endpoints
    queue: HookQueue
    log: DeliveryLog


Replicas = Callable[[str, str], Replica]
Tell = Callable[[Message], object]


@dataclass(frozen=True)
class Hooks:
    """A database, and what uses it."""

    replicas: Replicas
    database: Store | HookDatabase

    async def tell(self, *messages: Message) -> None:
        """Store messages, as the commits of orders do."""
        for message in messages:
            if isinstance(self.database, HookDatabase):
                self.database.new.append(message)
            else:
                row = webhook_rows.message_row(message)
                await self.database.commit(Change((), (Insert(WEBHOOK_MESSAGES, row),)))

    @property
    def here(self) -> Replica:
        return self.replicas("here", "1")


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def hooks(request: pytest.FixtureRequest, make_database: MakeDatabase) -> AsyncIterator[Hooks]:
    if request.param == "memory":
        database = HookDatabase()

        def in_memory(name: str, life: str) -> Replica:
            fake = FakeWebhooks(database, CLOCK, IDS, name, life)
            return Replica(fake, fake, fake)

        yield Hooks(in_memory, database)
        return
    opened = await open_store(make_database(request.param, MIGRATIONS), metadata=METADATA)

    def stored(name: str, life: str) -> Replica:
        deliveries = DeliveriesStore(opened, CLOCK, IDS, name, life)
        return Replica(EndpointsStore(opened, CLOCK), deliveries, deliveries)

    try:
        yield Hooks(stored, opened)
    finally:
        await opened.close()


async def added(hooks: Hooks, endpoint: Endpoint) -> Endpoint:
    assert await hooks.here.endpoints.add(endpoint, a_request(endpoint.endpoint_id), 100)
    return endpoint


async def altered(hooks: Hooks, before: Endpoint, **changes: object) -> Endpoint:
    after = replace(before, **changes)  # type: ignore[arg-type]  # fields of it
    request = a_request(IDS.new())
    assert await hooks.here.endpoints.alter(before, after, request, HookCommand.UPDATE, before.endpoint_id)
    return after


async def deliveries_of(hooks: Hooks, endpoint: Endpoint) -> list[Delivery]:
    return list(await hooks.here.log.page(DeliveryFilter(endpoint_id=endpoint.endpoint_id), "", 100))


async def test_an_endpoint_survives_with_its_secrets(hooks: Hooks) -> None:
    ending = replace(a_secret(2), ends_at=CLOCK.now() + timedelta(days=1))
    endpoint = await added(hooks, an_endpoint("order.paid", "order.failed"))
    after = await altered(
        hooks, endpoint, secrets=(a_secret(3), ending), url="https://shop.example/ü", event_types=(), disabled=True
    )

    assert await hooks.here.endpoints.endpoint(endpoint.endpoint_id) == after
    assert await hooks.here.endpoints.owner_of(ending.secret_id) == after
    assert await hooks.here.endpoints.owner_of(IDS.new()) is None
    assert await hooks.here.endpoints.endpoint(IDS.new()) is None


async def test_endpoints_are_listed_oldest_first(hooks: Hooks) -> None:
    several = [await added(hooks, an_endpoint()) for _ in range(3)]

    # Ids sort by time, to the millisecond.
    assert list(await hooks.here.endpoints.endpoints()) == sorted(several, key=lambda each: each.endpoint_id)


async def test_a_key_stands_for_what_it_made(hooks: Hooks) -> None:
    endpoint = an_endpoint()
    assert await hooks.here.endpoints.used(a_request("k"), HookCommand.CREATE) is None

    await hooks.here.endpoints.add(endpoint, a_request("k", "a" * 64), 100)

    with pytest.raises(KeyTaken):
        await hooks.here.endpoints.add(an_endpoint(), a_request("k", "b" * 64), 100)
    used = await hooks.here.endpoints.used(a_request("k"), HookCommand.CREATE)
    assert used == Used("a" * 64, endpoint.secrets[0].secret_id)
    assert await hooks.here.endpoints.used(a_request("k"), HookCommand.ROTATE) is None
    assert await hooks.here.endpoints.used(a_request("k", caller="other"), HookCommand.CREATE) is None
    assert list(await hooks.here.endpoints.endpoints()) == [endpoint]


async def test_of_many_calls_with_one_key_one_makes_an_endpoint(hooks: Hooks) -> None:
    several = [an_endpoint() for _ in range(8)]
    made = await asyncio.gather(
        *(hooks.here.endpoints.add(each, a_request("k"), 100) for each in several), return_exceptions=True
    )

    assert sum(each is True for each in made) == 1
    assert sum(isinstance(each, KeyTaken) for each in made) == 7
    assert len(await hooks.here.endpoints.endpoints()) == 1


async def test_there_are_never_more_endpoints_than_there_may_be(hooks: Hooks) -> None:
    assert await hooks.here.endpoints.add(an_endpoint(), a_request("1"), 1)

    assert not await hooks.here.endpoints.add(an_endpoint(), a_request("2"), 1)

    assert len(await hooks.here.endpoints.endpoints()) == 1
    assert await hooks.here.endpoints.used(a_request("2"), HookCommand.CREATE) is None


async def test_an_endpoint_that_changed_meanwhile_is_not_changed(hooks: Hooks) -> None:
    before = await added(hooks, an_endpoint())
    now = await altered(hooks, before, url="https://new.example/")
    late = replace(before, event_types=("order.paid",))

    assert not await hooks.here.endpoints.alter(before, late, a_request("late"), HookCommand.UPDATE, "s")

    assert await hooks.here.endpoints.endpoint(before.endpoint_id) == now
    assert await hooks.here.endpoints.used(a_request("late"), HookCommand.UPDATE) is None


async def test_a_message_goes_to_each_endpoint_that_hears_of_it(hooks: Hooks) -> None:
    books = await added(hooks, an_endpoint())
    stock = await added(hooks, an_endpoint("order.paid"))
    mail = await added(hooks, an_endpoint("order.failed"))
    paid, placed, failed = a_message(), a_message("order.placed"), a_message("order.failed")
    await hooks.tell(paid, placed, failed)

    assert (await hooks.here.queue.pending()).messages
    assert await hooks.here.queue.share_out(100) == 3
    assert not (await hooks.here.queue.pending()).messages
    assert await hooks.here.queue.share_out(100) == 0

    got = {
        each.endpoint_id: {one.message_id for one in await deliveries_of(hooks, each)} for each in (books, stock, mail)
    }
    assert got[books.endpoint_id] == {paid.message_id, placed.message_id, failed.message_id}
    assert got[stock.endpoint_id] == {paid.message_id}
    assert got[mail.endpoint_id] == {failed.message_id}


async def test_what_is_shared_out_by_many_is_shared_out_once(hooks: Hooks) -> None:
    endpoint = await added(hooks, an_endpoint())
    await hooks.tell(*(a_message() for _ in range(20)))

    await asyncio.gather(*(hooks.replicas(f"r{n}", "1").queue.share_out(7) for n in range(4)))
    await hooks.here.queue.share_out(100)

    assert len(await deliveries_of(hooks, endpoint)) == 20


async def test_a_message_that_nobody_hears_of_is_forgotten(hooks: Hooks) -> None:
    await hooks.tell(a_message())

    assert await hooks.here.queue.share_out(100) == 1

    pending = await hooks.here.queue.pending()
    assert not pending.messages
    assert not pending.listens


async def test_a_claim_brings_all_that_posting_needs(hooks: Hooks) -> None:
    endpoint, message = await added(hooks, an_endpoint()), a_message()
    await hooks.tell(message)
    await hooks.here.queue.share_out(100)

    (parcel,) = await hooks.here.queue.claim(8, {}, MINUTE)

    assert (parcel.endpoint, parcel.message) == (endpoint, message)
    assert parcel.delivery.version == 2
    assert parcel.delivery.created_at == message.happened_at
    assert not (await hooks.here.queue.pending()).deliveries
    assert not await hooks.here.queue.claim(8, {}, MINUTE)


async def test_many_who_claim_share_the_work(hooks: Hooks) -> None:
    await added(hooks, an_endpoint())
    await hooks.tell(*(a_message() for _ in range(20)))
    await hooks.here.queue.share_out(100)

    claims = await asyncio.gather(*(hooks.replicas(f"r{n}", "1").queue.claim(5, {}, MINUTE) for n in range(4)))

    claimed = [parcel.delivery.delivery_id for claim in claims for parcel in claim]
    assert len(claimed) == len(set(claimed)) == 20


async def test_an_endpoint_that_is_busy_keeps_nobody_else_waiting(hooks: Hooks) -> None:
    slow, quick = await added(hooks, an_endpoint()), await added(hooks, an_endpoint())
    await hooks.tell(*(a_message() for _ in range(10)))
    await hooks.here.queue.share_out(100)

    parcels = await hooks.here.queue.claim(4, {slow.endpoint_id: 4}, MINUTE)

    assert [parcel.endpoint.endpoint_id for parcel in parcels] == [quick.endpoint_id] * 4


async def test_what_became_of_an_attempt_is_read_again(hooks: Hooks) -> None:
    endpoint = await added(hooks, an_endpoint())
    await hooks.tell(a_message(), a_message())
    await hooks.here.queue.pending()
    await hooks.here.queue.share_out(100)
    first, second = await hooks.here.queue.claim(8, {}, MINUTE)
    taken = after_attempt(first.delivery, Done(Answer(200)), CLOCK.now(), 0.0)
    later = after_attempt(second.delivery, Done(Answer(503)), CLOCK.now(), 0.0)

    await hooks.here.queue.finish(taken)
    await hooks.here.queue.finish(later)

    stored = {each.delivery_id: each for each in await deliveries_of(hooks, endpoint)}
    assert stored[taken.delivery_id] == taken
    waits = stored[later.delivery_id]
    assert replace(waits, due_at=None) == replace(later, due_at=None)
    assert waits.due_at is not None
    assert later.due_at is not None
    assert abs(waits.due_at - later.due_at) < timedelta(seconds=2)
    assert (await hooks.here.queue.backlog()).waiting == 1


async def test_a_claim_that_is_over_is_taken_up_by_others_and_lost_by_its_first_owner(hooks: Hooks) -> None:
    await added(hooks, an_endpoint())
    await hooks.tell(a_message())
    await hooks.here.queue.share_out(100)
    (lost,) = await hooks.replicas("dead", "1").queue.claim(8, {}, OVER)

    (taken_up,) = await hooks.here.queue.claim(8, {}, MINUTE)
    await hooks.here.queue.finish(after_attempt(lost.delivery, Done(Answer(200)), CLOCK.now(), 0.0))

    stored = await hooks.here.log.delivery(lost.delivery.delivery_id)
    assert stored is not None
    assert (stored.state, stored.version) == (DeliveryState.PENDING, taken_up.delivery.version)


async def test_a_replica_that_starts_again_takes_up_its_own_at_once(hooks: Hooks) -> None:
    await added(hooks, an_endpoint())
    await hooks.tell(a_message(), a_message())
    await hooks.here.queue.share_out(100)
    (ours,) = await hooks.replicas("here", "1").queue.claim(1, {}, MINUTE)
    (others,) = await hooks.replicas("elsewhere", "1").queue.claim(1, {}, MINUTE)

    again = hooks.replicas("here", "2")
    await again.queue.release_own()

    (parcel,) = await again.queue.claim(8, {}, MINUTE)
    assert parcel.delivery.delivery_id == ours.delivery.delivery_id != others.delivery.delivery_id


async def test_an_endpoint_that_is_switched_off_loses_nothing(hooks: Hooks) -> None:
    endpoint = await added(hooks, an_endpoint())
    await hooks.tell(a_message())
    await hooks.here.queue.share_out(100)
    off = await altered(hooks, endpoint, disabled=True)
    await hooks.tell(a_message())
    await hooks.here.queue.share_out(100)

    assert not (await hooks.here.queue.pending()).deliveries
    assert not await hooks.here.queue.claim(8, {}, MINUTE)
    assert {each.due_at for each in await deliveries_of(hooks, endpoint)} == {None}

    await altered(hooks, off, disabled=False)

    assert (await hooks.here.queue.pending()).deliveries
    assert len(await hooks.here.queue.claim(8, {}, MINUTE)) == 2


async def test_an_endpoint_that_is_gone_is_switched_off(hooks: Hooks) -> None:
    endpoint = await added(hooks, an_endpoint())
    await hooks.tell(a_message(), a_message(), a_message())
    await hooks.here.queue.share_out(100)
    (asked,) = await hooks.here.queue.claim(1, {}, MINUTE)
    gone = after_attempt(asked.delivery, Done(Answer(410)), CLOCK.now(), 0.0)

    await hooks.here.queue.switch_off(gone)

    assert await hooks.here.endpoints.endpoint(endpoint.endpoint_id) == replace(endpoint, disabled=True)
    stored = await deliveries_of(hooks, endpoint)
    assert gone in stored
    assert {(each.state, each.due_at) for each in stored} == {(DeliveryState.PENDING, None)}
    assert not (await hooks.here.queue.pending()).deliveries


async def test_what_is_taken_away_takes_its_deliveries_along(hooks: Hooks) -> None:
    endpoint, other = await added(hooks, an_endpoint()), await added(hooks, an_endpoint())
    await hooks.tell(a_message())
    await hooks.here.queue.share_out(100)
    held, _ = await hooks.here.queue.claim(8, {}, MINUTE)

    for _ in range(2):
        await hooks.here.endpoints.remove(endpoint.endpoint_id)
    await hooks.here.queue.finish(after_attempt(held.delivery, Done(Answer(200)), CLOCK.now(), 0.0))

    assert await hooks.here.endpoints.endpoint(endpoint.endpoint_id) is None
    assert not await deliveries_of(hooks, endpoint)
    assert len(await deliveries_of(hooks, other)) == 1
    assert (await hooks.here.queue.pending()).listens


async def test_the_log_is_read_newest_first_page_by_page(hooks: Hooks) -> None:
    endpoint = await added(hooks, an_endpoint())
    order_id = IDS.new()
    await hooks.tell(*(a_message() for _ in range(4)), a_message(order_id=order_id))
    await hooks.here.queue.share_out(100)

    everything = await deliveries_of(hooks, endpoint)
    first = await hooks.here.log.page(DeliveryFilter(), "", 2)
    rest = await hooks.here.log.page(DeliveryFilter(), first[-1].delivery_id, 100)

    assert [*first, *rest] == everything
    assert everything == sorted(everything, key=lambda each: each.delivery_id, reverse=True)
    (about,) = await hooks.here.log.page(DeliveryFilter(order_id=order_id), "", 100)
    assert about.order_id == order_id
    assert len(await hooks.here.log.page(DeliveryFilter(state=DeliveryState.PENDING), "", 100)) == 5
    assert not await hooks.here.log.page(DeliveryFilter(state=DeliveryState.FAILED), "", 100)
    assert not await hooks.here.log.page(DeliveryFilter(endpoint_id=IDS.new()), "", 100)


async def test_what_was_taken_is_sent_again_once_per_key(hooks: Hooks) -> None:
    await added(hooks, an_endpoint())
    await hooks.tell(a_message())
    await hooks.here.queue.share_out(100)
    (parcel,) = await hooks.here.queue.claim(8, {}, MINUTE)
    taken = after_attempt(parcel.delivery, Done(Answer(200)), CLOCK.now(), 0.0)
    await hooks.here.queue.finish(taken)

    again = await hooks.here.log.send_again(replayed(taken, CLOCK.now()), a_request("k"))

    assert again is not None
    assert (again.state, again.attempts, again.delivered_at) == (DeliveryState.PENDING, 0, None)
    assert await hooks.here.log.delivery(taken.delivery_id) == again
    with pytest.raises(KeyTaken):
        await hooks.here.log.send_again(replayed(again, CLOCK.now()), a_request("k"))
    assert await hooks.here.log.send_again(replayed(taken, CLOCK.now()), a_request("other")) is None
    (repeated,) = await hooks.here.queue.claim(8, {}, MINUTE)
    assert repeated.message == parcel.message


async def test_what_is_replayed_to_an_endpoint_that_is_switched_off_waits(hooks: Hooks) -> None:
    endpoint = await added(hooks, an_endpoint(disabled=True))
    await hooks.tell(a_message())
    await hooks.here.queue.share_out(100)
    (held,) = await deliveries_of(hooks, endpoint)

    again = await hooks.here.log.send_again(replayed(held, CLOCK.now()), a_request("k"))

    assert again is not None
    assert again.due_at is None


# The stores alone: messages are written by the orders' own commits.


@pytest.fixture
async def opened(database_kind: str, make_database: MakeDatabase) -> AsyncIterator[Store]:
    result = await open_store(make_database(database_kind, MIGRATIONS), metadata=METADATA)
    try:
        yield result
    finally:
        await result.close()


async def _told(opened: Store) -> list[str]:
    """Return the types of all messages that wait, in no order."""
    query = WEBHOOK_MESSAGES.select()
    return sorted([row.event_type for row in await opened.read(lambda connection: connection.execute(query).all())])


async def test_a_move_and_what_is_told_of_it_are_one_commit(opened: Store) -> None:
    audience = Audience()
    audience.join()
    orders = OrdersStore(opened, CLOCK, "here", "1", Announcer(audience))
    order = await store(orders, fresh(Stage.CHARGING))
    won = replace(moved(order, Stage.SETTLED, state=State.PAID), kind="payment.charged")
    lost = replace(moved(order, Stage.SETTLED, state=State.FAILED), kind="order.failed")

    await orders.move(won, an_event(won.order, won.kind), MINUTE)
    with pytest.raises(Moved):
        await orders.move(lost, an_event(lost.order, lost.kind), MINUTE)
    await orders.create(fresh(order_id=order.order_id), a_request(order.order_id), an_event(order), MINUTE)

    assert await _told(opened) == ["order.paid", "order.placed"]


async def test_while_nobody_listens_nothing_is_written(opened: Store) -> None:
    orders = OrdersStore(opened, CLOCK, "here", "1", Announcer(Audience()))

    await pay(orders)

    assert await _told(opened) == []


async def test_a_task_that_is_refused_is_told(opened: Store) -> None:
    audience = Audience()
    orders = OrdersStore(opened, CLOCK, "here", "1", Announcer(audience))
    order = await pay(orders)
    audience.join()

    await orders.refuse_task(Task(order.order_id, TaskKind.COMMIT_TAX, version=2), an_event(order, "tax.refused"))

    assert await _told(opened) == ["order.needs_review"]
