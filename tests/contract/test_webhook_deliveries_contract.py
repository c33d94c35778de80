"""What the sender of webhooks and its log rely on in their ports: true of the fake in memory and of both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.outcome import Done
from order_svc.app.webhook_ports import (
    DeliveryFilter,
    KeyTaken,
)
from order_svc.domain.webhook_delivery import Answer, DeliveryState, after_attempt, replayed
from tests.fakes.order_moves import CLOCK, IDS
from tests.fakes.order_samples import a_request
from tests.fakes.webhook_samples import MINUTE, OVER, a_message, an_endpoint
from tests.fakes.webhook_stores import Hooks, added, altered, deliveries_of


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
