"""Webhooks and the worker: hints to look, applied once or often, in any order, or never: the end is the same."""

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from kernel.errors import Refusal
from payment_svc.app.events import EventEnd
from payment_svc.app.ports import ProviderEvent
from payment_svc.domain.intent import RefundState
from payment_svc.domain.payment import PaymentState, payment_id_of
from tests.fakes.payment_gateway import SLOW_BANK, THREE_D_SECURE, Fault
from tests.fakes.payment_service import ORDER, SETTLE_AFTER, PaymentWorld, payment_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


def events(intent_id: str, *kinds: str) -> list[ProviderEvent]:
    return [ProviderEvent(f"evt_{kind}", kind, intent_id) for kind in kinds]


async def applied(world: PaymentWorld, event: ProviderEvent) -> None:
    """Keep and apply an event, as taking in its webhook does."""
    await world.payments.add_event(event, world.clock.now(), world.clock.now())
    await world.does.resume.once()


_ABOUT_PAYING = ("payment_intent.requires_action", "payment_intent.processing", "payment_intent.succeeded")


@pytest.mark.parametrize("order", list(itertools.permutations(_ABOUT_PAYING)))
async def test_events_in_any_order_and_twice_end_in_the_same_state(world: PaymentWorld, order: tuple[str, ...]) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    world.gateway.authenticate(payment.intent_id, success=True)

    for event in events(payment.intent_id, *order, *order):
        await applied(world, event)

    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.SUCCEEDED
    assert kept.version == payment.version + 1


async def test_an_event_is_never_believed(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)

    for event in events(payment.intent_id, "payment_intent.succeeded"):
        await applied(world, event)

    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.ACTION_REQUIRED


async def test_what_is_final_is_not_asked_about_again(world: PaymentWorld) -> None:
    payment = await world.charge()

    for event in events(payment.intent_id, "payment_intent.succeeded", "payment_intent.payment_failed"):
        await applied(world, event)

    assert world.gateway.seen == ["create", "confirm"]


async def test_events_about_payments_of_others_are_kept_waited_for_and_at_last_let_go(world: PaymentWorld) -> None:
    for event in events("pi_of_somebody_else", "payment_intent.succeeded", "charge.refunded"):
        await applied(world, event)
        assert not await world.payments.add_event(event, world.clock.now(), None)
    assert len(await world.payments.due_events(world.clock.now() + timedelta(days=9), 9)) == 2
    for _ in range(8):  # 30 s, 1 min, 2 min … after it came
        world.clock.pass_by(3600 / 8)
        await world.does.resume.once()

    assert world.gateway.seen == []
    assert await world.payments.due_events(world.clock.now() + timedelta(days=9), 9) == []
    assert world.telling.ends == [EventEnd.UNKNOWN] * 2


async def test_an_event_that_comes_before_its_payment_is_applied_once_that_is_there(world: PaymentWorld) -> None:
    (event,) = events(f"pi_{payment_id_of(ORDER)[:8]}_1", "payment_intent.succeeded")
    await applied(world, event)
    world.clock.pass_by(SETTLE_AFTER.total_seconds() / 2)
    waiting = await world.charge(payment_method=THREE_D_SECURE)
    assert waiting.intent_id == event.intent_id
    world.gateway.authenticate(waiting.intent_id, success=True)

    world.clock.pass_by(SETTLE_AFTER.total_seconds() / 2)
    await world.does.resume.once()

    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.SUCCEEDED
    assert world.telling.ends == [EventEnd.APPLIED]


async def test_an_event_that_cannot_be_applied_now_is_applied_later(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    world.gateway.authenticate(payment.intent_id, success=True)
    world.gateway.fail("read", Fault.NOT_SENT)
    (event,) = events(payment.intent_id, "payment_intent.succeeded")
    await applied(world, event)
    world.restart()

    world.clock.pass_by(SETTLE_AFTER.total_seconds())
    await world.does.resume.once()

    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.SUCCEEDED
    assert await world.payments.due_events(world.clock.now() + timedelta(days=9), 9) == []


async def test_a_refund_that_comes_back_is_seen_through_its_event(world: PaymentWorld) -> None:
    payment = await world.charge()
    refunded = await world.refund(payment, 400)
    assert refunded.refund.state is RefundState.SUCCEEDED
    world.gateway.return_refund(refunded.refund.refund_id)

    for event in events(payment.intent_id, "refund.failed", "charge.refund.updated"):
        await applied(world, event)

    kept = await world.kept()
    assert kept is not None
    assert kept.refunds[0].state is RefundState.FAILED
    assert kept.refunded.minor_units == 0


async def test_without_any_event_the_worker_finds_out(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    world.gateway.authenticate(payment.intent_id, success=False)
    world.clock.pass_by(SETTLE_AFTER.total_seconds() - 1)
    await world.does.resume.once()
    assert world.gateway.seen.count("read") == 0

    world.clock.pass_by(1)
    await world.does.resume.once()

    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.DECLINED
    assert kept.decline is not None
    assert kept.decline.code == "payment_intent_authentication_failure"


async def test_the_worker_settles_an_open_attempt_by_reading_and_never_confirms_it(world: PaymentWorld) -> None:
    world.gateway.fail("confirm", *[Fault.NOT_SENT] * 9)
    with pytest.raises(Refusal):
        await world.charge()
    world.gateway._faults.clear()
    confirmed = world.gateway.seen.count("confirm")

    for _ in range(5):
        world.clock.pass_by(3600)
        await world.does.resume.once()

    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.PENDING
    assert world.gateway.seen.count("confirm") == confirmed


async def test_the_worker_looks_less_and_less_often_and_stops_when_it_is_over(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=SLOW_BANK)
    for _ in range(720):  # an hour in steps of the worker's period
        world.clock.pass_by(5)
        await world.does.resume.once()
    assert 4 <= world.gateway.seen.count("read") <= 9

    world.gateway.decide(payment.intent_id)
    world.clock.pass_by(3600)
    await world.does.resume.once()
    reads = world.gateway.seen.count("read")
    world.clock.pass_by(36_000)
    await world.does.resume.once()

    assert world.gateway.seen.count("read") == reads
    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.SUCCEEDED


async def test_one_thing_that_cannot_be_settled_does_not_keep_the_others_waiting(world: PaymentWorld) -> None:
    first = await world.charge("a", payment_method=THREE_D_SECURE)
    del world.gateway.intents[first.intent_id]
    second = await world.charge("b", order_id=first.order_id.replace("1", "2"), payment_method=THREE_D_SECURE)
    world.gateway.authenticate(second.intent_id, success=True)

    world.clock.pass_by(SETTLE_AFTER.total_seconds())
    await world.does.resume.once()

    after = await world.payments.get(second.payment_id)
    assert after is not None
    assert after.state is PaymentState.SUCCEEDED
