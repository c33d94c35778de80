"""Placing an order: once per key, whatever happens to the caller."""

import asyncio
from collections.abc import Awaitable

import pytest

from kernel.errors import Reason, Refusal
from order_svc.domain.order import Order, State
from order_svc.domain.payment import PaymentState
from order_svc.domain.step import Step
from tests.fakes.order_faults import Late, Lost, Slow
from tests.fakes.order_payments import DECLINED, NEEDS_ACTION, UNKNOWN_METHOD
from tests.fakes.order_ports import NOWHERE
from tests.fakes.order_samples import a_draft, a_request, euros
from tests.fakes.order_world import World, in_a_world


async def refusal_of(placing: Awaitable[Order]) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await placing
    return refused.value


def facts(refusal: Refusal) -> tuple[object, ...]:
    return refusal.reason, refusal.message, refusal.metadata, refusal.fields


@in_a_world
async def test_an_order_is_taxed_charged_and_paid_and_its_mail_and_document_follow(world: World) -> None:
    life = world.life()
    order = await life.place()
    await life.work.idle()

    assert (order.state, order.total) == (State.PAID, euros(7075))
    assert world.payments.captures == [(order.order_id, euros(7075))]
    assert world.mails.asked == [f"{order.order_id}:confirmation"]
    assert world.taxes.documents == {order.order_id: euros(1178)}
    story = await life.read.explain(order.order_id)
    assert [event.kind for event in story.events][:3] == ["order.placed", "tax.quoted", "payment.charged"]
    assert {event.kind for event in story.events[3:]} == {"tax.committed", "mail.accepted"}
    assert all(task.done and task.attempts == 1 for task in story.tasks)
    assert story.order.tax_document == order.order_id


@in_a_world
async def test_the_answer_waits_neither_for_the_mail_nor_for_the_tax_document(world: World) -> None:
    life = world.life()
    world.mails.faults.plan("send", Slow(300))
    world.taxes.faults.plan("commit", Slow(300))

    order = await life.place()

    assert (order.state, world.clock.monotonic()) == (State.PAID, 0.0)


@in_a_world
async def test_twenty_equal_calls_at_once_make_one_order_and_one_charge(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Slow(0.3))

    answers = await asyncio.gather(*(life.place() for _ in range(20)))

    assert {order.order_id for order in answers} == set(world.database.orders)
    assert {order.state for order in answers} == {State.PAID}
    assert (len(world.payments.captures), world.payments.charges) == (1, 1)


@in_a_world
async def test_a_key_that_stood_for_another_order_is_refused_and_nothing_is_changed(world: World) -> None:
    life = world.life()
    order = await life.place()
    await life.work.idle()
    before = dict(world.database.orders)

    refusal = await refusal_of(life.place(request=a_request(fingerprint="other")))

    assert refusal.reason is Reason.REQUEST_ID_REUSED
    assert refusal.metadata == {"orderId": order.order_id}
    assert world.database.orders == before
    assert len(world.payments.captures) == 1


@in_a_world
async def test_the_same_key_of_another_caller_is_another_order(world: World) -> None:
    life = world.life()
    first = await life.place(request=a_request(caller="a"))
    second = await life.place(request=a_request(caller="b", fingerprint="other"))

    assert first.order_id != second.order_id


@in_a_world
async def test_a_repetition_after_a_restart_is_answered_the_same(world: World) -> None:
    life = world.life()
    first = await life.place()
    await life.work.idle()
    later = world.life()

    second = await later.place()

    assert second.order_id == first.order_id
    assert (second.state, second.total, second.payment) == (first.state, first.total, first.payment)
    assert len(world.payments.captures) == 1


@in_a_world
async def test_a_declined_card_is_refused_the_same_today_and_after_a_restart(world: World) -> None:
    life = world.life()
    first = await refusal_of(life.place(DECLINED))
    again = await refusal_of(life.place(DECLINED))
    after_restart = await refusal_of(world.life().place(DECLINED))

    (order,) = world.database.orders.values()
    assert first.reason is Reason.PAYMENT_DECLINED
    assert first.metadata == {"orderId": order.order_id, "declineCode": "insufficient_funds"}
    assert facts(first) == facts(again) == facts(after_restart)
    assert (order.state, world.payments.captures, world.payments.charges) == (State.FAILED, [], 1)
    assert world.mails.asked == world.taxes.commits == []


@in_a_world
async def test_an_address_that_is_nowhere_is_refused_naming_the_field_before_anything_is_charged(world: World) -> None:
    life = world.life()
    address = a_draft().ship_to
    nowhere = a_draft(ship_to=type(address)(address.line1, "", address.locality, "", NOWHERE, "FR"))

    refusal = await refusal_of(life.place(draft=nowhere))

    assert refusal.reason is Reason.ADDRESS_INVALID
    assert [each.field for each in refusal.fields] == ["ship_to.postal_code"]
    assert world.payments.charges == 0


@in_a_world
async def test_a_payment_method_that_does_not_exist_is_refused_naming_the_field(world: World) -> None:
    life = world.life()
    refusal = await refusal_of(life.place(UNKNOWN_METHOD))

    assert refusal.reason is Reason.PAYMENT_METHOD_INVALID
    assert [each.field for each in refusal.fields] == ["payment_method"]


@in_a_world
async def test_an_order_goes_on_when_its_caller_is_gone(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Slow(5))
    calling = asyncio.create_task(life.place())
    await asyncio.sleep(1)

    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await life.work.idle()

    (order,) = world.database.orders.values()
    assert order.state is State.PAID
    assert len(world.mails.notifications) == 1


@in_a_world
async def test_a_slow_order_is_answered_as_it_is_when_the_time_is_up_and_settles_later(
    world: World,
) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Slow(20))

    order = await life.place(seconds=3)

    assert (order.state, world.clock.monotonic()) == (State.PENDING, 3.0)
    assert order.total == euros(7075)
    await life.work.idle()
    assert (await life.place()).state is State.PAID
    assert world.payments.charges == 1


@in_a_world
async def test_a_caller_without_time_gets_the_accepted_order(world: World) -> None:
    life = world.life()
    order = await life.place(seconds=0.0)

    assert order.state is State.PENDING
    await life.work.idle()
    assert (await life.place()).state is State.PAID


@in_a_world
async def test_a_caller_never_waits_longer_than_it_said(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", *[Lost.REQUEST] * 50)

    order = await life.place(seconds=4)

    assert (order.state, world.clock.monotonic()) == (State.PENDING, 4.0)


@in_a_world
async def test_a_caller_who_waits_hears_of_the_second_try(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Lost.ANSWER)
    sweeping = asyncio.create_task(life.sweeper.run())

    order = await life.place()

    assert order.state is State.PAID
    assert world.clock.monotonic() < 2.0
    assert (world.payments.charges, len(world.payments.captures)) == (2, 1)
    sweeping.cancel()


@in_a_world
async def test_a_repetition_that_waits_hears_of_the_end_at_once(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Slow(2.2))
    first = asyncio.create_task(life.place())
    await asyncio.sleep(1)

    again = await life.place()

    assert (again.state, world.clock.monotonic()) == (State.PAID, 2.2)
    await first


@in_a_world
async def test_a_repetition_at_another_replica_hears_of_the_end_as_well(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Slow(2.2))
    first = asyncio.create_task(life.place())
    await asyncio.sleep(1)

    again = await world.life().place()

    assert again.state is State.PAID
    assert world.clock.monotonic() < 3.0
    await first


@in_a_world
async def test_a_charge_that_is_carried_out_after_it_was_given_up_is_found_and_not_repeated(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Late(0.1))
    sweeping = asyncio.create_task(life.sweeper.run())

    order = await life.place()

    assert (order.state, len(world.payments.captures)) == (State.PAID, 1)
    sweeping.cancel()


@in_a_world
async def test_a_customer_who_has_to_act_is_answered_at_once_with_what_the_browser_needs(world: World) -> None:
    life = world.life()
    order = await life.place(NEEDS_ACTION)

    assert (order.state, world.clock.monotonic()) == (State.PAYMENT_ACTION_REQUIRED, 0.0)
    assert order.payment is not None
    assert order.payment.client_secret
    assert life.telling.steps == [Step.QUOTE_TAX, Step.CHARGE]


@in_a_world
async def test_waiters_leave_nothing_behind(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Slow(20))
    await asyncio.gather(*(life.place(seconds=1) for _ in range(5)))

    assert not life.changes._watches


@in_a_world
async def test_an_order_is_counted_once_when_it_ends(world: World) -> None:
    life = world.life()
    order = await life.place()
    await life.place()

    assert life.telling.ends == [order.order_id]
    assert world.payments.payments[order.order_id].state is PaymentState.SUCCEEDED
