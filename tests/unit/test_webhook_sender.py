"""The sender: everything reaches every endpoint, nobody waits for another, and nothing is lost with a process."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.service import Tasks
from kernel.bell import Bell
from kernel.errors import Reason, Refusal
from kernel.ids import Uuid7Ids
from kernel.outcome import Done, Unknown
from kernel.request import Request
from order_svc.app.ports import InDoubt
from order_svc.app.webhook_endpoints import KeepEndpoints
from order_svc.app.webhook_log import ReadDeliveryLog
from order_svc.app.webhook_ports import Audience, Parcel, Pending
from order_svc.app.webhook_sender import AT_ONCE, Sender
from order_svc.domain.webhook_delivery import MOST_ATTEMPTS, Answer, DeliveryState
from order_svc.domain.webhook_endpoint import Endpoint, EndpointChange
from tests.fakes.manual_clock import ManualClock
from tests.fakes.order_samples import a_request
from tests.fakes.webhook_poster import FakeHookTelling, FakePoster, Outcome
from tests.fakes.webhook_samples import a_message, an_endpoint
from tests.fakes.webhooks_in_memory import FakeWebhooks, HookDatabase


class World:
    """One replica at a time, and what outlives it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.database = HookDatabase()
        self.poster = FakePoster()
        self.telling = FakeHookTelling()
        self.lives = 0
        self.start()

    def start(self) -> None:
        """Begin a life; what the one before was doing is cut off."""
        self.lives += 1
        self.work = Tasks()
        self.store = FakeWebhooks(self.database, self.clock, Uuid7Ids(self.clock), "here", str(self.lives))
        self.audience = Audience()
        self.bell = Bell(self.clock)
        self.sender = Sender(
            self.store, self.poster, self.audience, self.work, self.bell, self.clock, lambda: 0.0, self.telling
        )

    async def endpoint(self, *event_types: str) -> Endpoint:
        endpoint = an_endpoint(*event_types)
        assert await self.store.add(endpoint, a_request(endpoint.endpoint_id), 100)
        return endpoint

    async def turn(self) -> None:
        """Let the sender look once, and everything happen that can without time passing."""
        await self.sender.turn()
        for _ in range(20):
            await asyncio.sleep(0)

    async def later(self, **span: float) -> None:
        self.clock.advance(timedelta(**span).total_seconds())
        await self.turn()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.poster.let_go()
    await world.work.close(1.0)


async def test_what_happens_reaches_every_endpoint_once(world: World) -> None:
    first, second = await world.endpoint(), await world.endpoint("order.paid")
    paid, placed = a_message(), a_message("order.placed")
    await world.store.tell(placed)
    await world.store.tell(paid)

    await world.turn()
    await world.later(hours=1)

    assert sorted(world.poster.message_ids(first.endpoint_id)) == sorted([paid.message_id, placed.message_id])
    assert world.poster.message_ids(second.endpoint_id) == [paid.message_id]
    assert {each.state for each in world.database.deliveries.values()} == {DeliveryState.DELIVERED}


async def test_it_knows_whether_anybody_listens(world: World) -> None:
    await world.turn()
    assert not world.audience.listens

    endpoint = await world.endpoint()
    await world.turn()
    assert world.audience.listens

    await world.store.remove(endpoint.endpoint_id)
    await world.turn()
    assert not world.audience.listens


class Slow(FakeWebhooks):
    """A database whose answer takes its time."""

    def __init__(self, database: HookDatabase, clock: ManualClock) -> None:
        super().__init__(database, clock, Uuid7Ids(clock))
        self.read, self.answered = asyncio.Event(), asyncio.Event()

    async def pending(self) -> Pending:
        pending = await super().pending()
        self.read.set()
        await self.answered.wait()
        return pending


async def test_an_endpoint_that_is_made_while_it_looks_is_not_forgotten(world: World) -> None:
    store = Slow(world.database, world.clock)
    sender = Sender(
        store, world.poster, world.audience, world.work, world.bell, world.clock, lambda: 0.0, world.telling
    )
    keep = KeepEndpoints(store, world.audience, world.clock, Uuid7Ids(world.clock), bytes, world.bell.ring)

    looking = asyncio.create_task(sender.look())
    await store.read.wait()
    await keep.create("https://shop.example/hook", (), "", a_request("first"))
    store.answered.set()

    assert not (await looking).listens
    assert world.audience.listens


class Doubtful(FakeWebhooks):
    """A database that is lost while it commits."""

    async def add(self, endpoint: Endpoint, request: Request, most: int) -> bool:
        await super().add(endpoint, request, most)
        raise InDoubt


async def test_an_endpoint_whose_commit_was_in_doubt_listens_once_its_maker_is_told(world: World) -> None:
    store = Doubtful(world.database, world.clock, Uuid7Ids(world.clock))
    keep = KeepEndpoints(store, world.audience, world.clock, Uuid7Ids(world.clock), bytes, world.bell.ring)

    await keep.create("https://shop.example/hook", (), "", a_request("first"))

    assert len(await keep.endpoints()) == 1
    assert world.audience.listens


async def test_what_fails_is_tried_again_until_it_is_taken(world: World) -> None:
    endpoint = await world.endpoint()
    world.poster.answers[endpoint.endpoint_id].extend([Unknown("timeout"), Done(Answer(500))])
    await world.store.tell(a_message())

    await world.turn()
    await world.later(seconds=4)
    assert len(world.poster.posted) == 1
    await world.later(seconds=1)
    assert len(world.poster.posted) == 2
    await world.later(minutes=5)

    (delivery,) = world.database.deliveries.values()
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 3)
    assert len({each.message.message_id for each in world.poster.posted}) == 1


class Defective(FakePoster):
    """Cannot post to one endpoint, whatever it does."""

    async def post(self, parcel: Parcel) -> Outcome:
        await super().post(parcel)
        raise RuntimeError("no such codec")


async def test_a_defect_is_an_attempt_that_failed_and_not_one_that_never_was(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.poster = Defective()
    world.start()
    await world.endpoint()
    await world.store.tell(a_message())
    await world.turn()

    for _ in range(MOST_ATTEMPTS + 2):
        await world.later(hours=25)

    (delivery,) = world.database.deliveries.values()
    assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, MOST_ATTEMPTS)
    assert "a defect" in delivery.last_error
    assert [record.message for record in caplog.records] == ["webhook.defect"] * MOST_ATTEMPTS


async def test_an_endpoint_that_hangs_keeps_nobody_else_waiting(world: World) -> None:
    dead, alive = await world.endpoint(), await world.endpoint()
    world.poster.hang(dead.endpoint_id)
    for _ in range(3 * AT_ONCE):
        await world.store.tell(a_message())

    for _ in range(4):
        await world.turn()

    assert len(world.poster.message_ids(alive.endpoint_id)) == 3 * AT_ONCE
    assert len(world.poster.message_ids(dead.endpoint_id)) == AT_ONCE

    world.poster.let_go()
    for _ in range(4):
        await world.turn()
    assert len(set(world.poster.message_ids(dead.endpoint_id))) == 3 * AT_ONCE


async def test_one_that_is_gone_is_left_alone_until_it_is_switched_on(world: World) -> None:
    endpoint = await world.endpoint()
    world.poster.answers[endpoint.endpoint_id].append(Done(Answer(410)))
    await world.store.tell(a_message())
    await world.turn()
    await world.store.tell(a_message())
    await world.later(days=3)
    assert len(world.poster.posted) == 1

    keep = KeepEndpoints(world.store, world.audience, world.clock, Uuid7Ids(world.clock), bytes, world.bell.ring)
    (off,) = await keep.endpoints()
    assert off.disabled
    await keep.update(off.endpoint_id, EndpointChange(disabled=False), a_request("on"))
    await world.turn()

    assert len(set(world.poster.message_ids(endpoint.endpoint_id))) == 2
    assert {each.state for each in world.database.deliveries.values()} == {DeliveryState.DELIVERED}


async def test_a_process_that_dies_after_a_post_posts_again_under_the_same_id(world: World) -> None:
    endpoint = await world.endpoint()
    world.poster.hang(endpoint.endpoint_id)
    await world.store.tell(a_message())
    await world.turn()
    await world.work.close(0.0)
    world.poster.let_go()

    world.start()
    await world.store.release_own()
    await world.turn()

    assert len(world.poster.posted) == 2
    assert len(set(world.poster.message_ids(endpoint.endpoint_id))) == 1
    (delivery,) = world.database.deliveries.values()
    assert delivery.state is DeliveryState.DELIVERED


async def test_one_that_never_came_back_is_taken_over(world: World) -> None:
    endpoint = await world.endpoint()
    world.poster.hang(endpoint.endpoint_id)
    await world.store.tell(a_message())
    await world.turn()
    await world.work.close(0.0)
    world.poster.let_go()

    world.start()
    await world.later(seconds=44)
    assert len(world.poster.posted) == 1
    await world.later(seconds=2)

    assert len(world.poster.posted) == 2


async def test_what_was_given_up_is_sent_again_when_a_person_says_so(world: World) -> None:
    endpoint = await world.endpoint()
    world.poster.answers[endpoint.endpoint_id].extend([Unknown("timeout")] * 10)
    await world.store.tell(a_message())
    await world.turn()
    for _ in range(12):
        await world.later(hours=24)
    (given_up,) = world.database.deliveries.values()
    assert (given_up.state, given_up.attempts) == (DeliveryState.FAILED, 10)

    log = ReadDeliveryLog(world.store, world.clock, world.bell.ring)
    again = await log.replay(given_up.delivery_id, a_request("again"))
    assert again.state is DeliveryState.PENDING
    await world.turn()
    repeated = await log.replay(given_up.delivery_id, a_request("again"))
    await world.turn()

    assert repeated.state is DeliveryState.DELIVERED
    assert len(world.poster.posted) == 11
    with pytest.raises(Refusal) as refused:
        await log.replay(Uuid7Ids(world.clock).new(), a_request("none"))
    assert refused.value.reason is Reason.WEBHOOK_DELIVERY_NOT_FOUND
    with pytest.raises(Refusal) as reused:
        await log.replay(given_up.delivery_id, a_request("again", "0" * 64))
    assert reused.value.reason is Reason.REQUEST_ID_REUSED


async def test_it_says_what_is_not_delivered(world: World) -> None:
    endpoint = await world.endpoint()
    world.poster.answers[endpoint.endpoint_id].append(Done(Answer(500)))
    await world.store.tell(a_message())

    await world.turn()
    await world.later(seconds=10)

    assert [each.waiting for each in world.telling.backlogs] == [1, 1]
    assert [delivery.last_error for delivery, _ in world.telling.became_] == ["answered 500", ""]


class Flaky(FakeWebhooks):
    """A database that goes away."""

    away = False

    async def pending(self) -> Pending:
        if self.away:
            raise Refusal(Reason.UNAVAILABLE, "away")
        return await super().pending()


async def test_it_waits_for_a_database_that_is_away(world: World) -> None:
    store = Flaky(world.database, world.clock, Uuid7Ids(world.clock))
    sender = Sender(
        store, world.poster, world.audience, world.work, world.bell, world.clock, lambda: 0.0, world.telling
    )
    store.away = True
    await world.endpoint()
    await world.store.tell(a_message())
    running = asyncio.create_task(sender.run())
    for _ in range(3):
        await world.clock.until_asleep(1.0)
        world.clock.advance(1.0)
    assert not world.poster.posted

    store.away = False
    while not world.poster.posted:
        world.clock.advance(1.0)
        await asyncio.sleep(0)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
