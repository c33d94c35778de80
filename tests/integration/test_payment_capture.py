"""Money that is held first and taken when the goods leave: once, whole or in part, or not at all."""

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.app.capture import Capture
from payment_svc.app.ports import Request
from payment_svc.domain.intent import CaptureMode, IntentStatus
from payment_svc.domain.payment import Payment, PaymentState
from tests.fakes.payment_gateway import DECLINED, THREE_D_SECURE, Fault
from tests.fakes.payment_service import Killed, Mortality, PaymentWorld, payment_world

_MOST_PLACES = 40


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def held(world: PaymentWorld, **changes: object) -> Payment:
    return await world.charge(world.order_id, capture_mode=CaptureMode.ON_SHIPMENT, **changes)


async def captured(world: PaymentWorld, payment: Payment, minor_units: int | None = None) -> Payment:
    """Capture, repeating it as callers do for as long as the outcome is open."""
    for _ in range(10):
        try:
            return await world.capture(payment, minor_units, payment.order_id)
        except Refusal as refusal:
            if refusal.reason is not Reason.UNAVAILABLE:
                raise
    raise AssertionError("it never came to an end")


async def test_a_charge_on_shipment_holds_the_money_and_says_until_when(world: PaymentWorld) -> None:
    payment = await held(world)

    assert payment.state is PaymentState.AUTHORIZED
    assert payment.captured == Money("EUR", 0)
    assert payment.hold_expires_at == world.gateway.hold_until
    assert await world.kept() == payment
    assert world.gateway.charges == []


@pytest.mark.parametrize("minor_units", [None, 1099, 700])
async def test_a_hold_is_taken_once(world: PaymentWorld, minor_units: int | None) -> None:
    payment = await held(world)

    taken = await world.capture(payment, minor_units)

    assert taken.state is PaymentState.SUCCEEDED
    assert taken.captured == Money("EUR", minor_units or 1099)
    assert taken.hold_expires_at is None
    assert await world.kept() == taken
    assert await world.capture(payment, minor_units) == taken
    assert await world.capture(payment, 1, "another") == taken
    assert len(world.gateway.charges) == 1


async def test_of_a_partial_capture_no_more_can_be_given_back_than_was_taken(world: PaymentWorld) -> None:
    taken = await world.capture(await held(world), 700)

    with pytest.raises(Refusal) as refused:
        await world.refund(taken, 701)
    assert refused.value.reason is Reason.REFUND_EXCEEDS_PAYMENT

    assert (await world.refund(taken, None, "f2")).payment.refunded == Money("EUR", 700)


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("minor_units", [None, 700])
async def test_a_capture_whose_answer_is_lost_is_taken_once(
    world: PaymentWorld, fault: Fault, minor_units: int | None
) -> None:
    payment = await held(world)
    world.gateway.fail("capture", fault)

    taken = await captured(world, payment, minor_units)
    world.gateway.catch_up()

    assert (taken.state, taken.captured) == (PaymentState.SUCCEEDED, Money("EUR", minor_units or 1099))
    assert len(world.gateway.charges) == 1


async def test_a_capture_survives_a_crash_at_any_place_and_forgotten_keys(world: PaymentWorld) -> None:
    for place in itertools.count(1):
        assert place < _MOST_PLACES
        world.begin_anew()
        world.restart()
        payment = await held(world)
        mortality = Mortality(place)
        world.restart(mortality)
        try:
            await captured(world, payment, 700)
            died = False
        except Killed:
            died = True
        world.gateway.forget_keys()
        world.restart()
        taken = await captured(world, payment, 700)

        assert (taken.state, taken.captured) == (PaymentState.SUCCEEDED, Money("EUR", 700))
        assert len(world.gateway.charges) == 1
        assert await world.kept() == taken
        if not died:
            return


async def test_a_hold_that_lapsed_is_answered_as_given_up(world: PaymentWorld) -> None:
    payment = await held(world)
    world.gateway.lapse(payment.intent_id)

    assert (await world.capture(payment)).state is PaymentState.CANCELLED
    assert world.gateway.charges == []


async def test_what_is_held_is_released_when_it_is_given_up(world: PaymentWorld) -> None:
    payment = await held(world)

    given_up = await world.cancel(payment)

    assert (given_up.state, given_up.hold_expires_at) == (PaymentState.CANCELLED, None)
    assert world.gateway.only_intent.status is IntentStatus.CANCELLED
    assert (await world.capture(payment)).state is PaymentState.CANCELLED


async def test_captured_just_while_it_is_given_up_is_told_as_taken(world: PaymentWorld) -> None:
    payment = await held(world)

    async def capture() -> None:
        await world.gateway.capture_intent(payment.intent_id, payment.amount, "elsewhere")

    world.gateway.fail("cancel", Fault.NOT_SENT)
    world.gateway.meanwhile["cancel"] = capture

    assert (await world.cancel(payment)).state is PaymentState.SUCCEEDED


@pytest.mark.parametrize(
    ("amount", "reason", "field"),
    [
        (Money("EUR", 1100), Reason.AMOUNT_OUT_OF_RANGE, "amount.minor_units"),
        (Money("EUR", 0), Reason.VALIDATION_FAILED, "amount.minor_units"),
        (Money("USD", 1), Reason.VALIDATION_FAILED, "amount.currency_code"),
    ],
)
async def test_what_cannot_be_taken_of_a_hold_is_refused_before_any_call(
    world: PaymentWorld, amount: Money, reason: Reason, field: str
) -> None:
    payment = await held(world)

    with pytest.raises(Refusal) as refused:
        await world.does.capture(Capture(payment.payment_id, amount), Request("local", "CapturePayment", "k", "k"))

    assert refused.value.reason is reason
    assert [each.field for each in refused.value.fields] == [field]
    assert "capture" not in world.gateway.seen


async def test_what_is_not_held_cannot_be_taken(world: PaymentWorld) -> None:
    payment = await held(world, payment_method=DECLINED)

    with pytest.raises(Refusal) as refused:
        await world.capture(payment)

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert refused.value.metadata == {"state": "DECLINED", "allowed": "AUTHORIZED"}


async def test_a_hold_after_three_d_secure_is_found_when_it_is_to_be_taken(world: PaymentWorld) -> None:
    payment = await held(world, payment_method=THREE_D_SECURE)
    assert payment.state is PaymentState.ACTION_REQUIRED
    world.gateway.authenticate(payment.intent_id, success=True)

    assert (await world.capture(payment)).state is PaymentState.SUCCEEDED


@pytest.mark.parametrize("changed", [{"capture_mode": CaptureMode.AT_PLACEMENT}, {"customer_id": "cus_2"}])
async def test_mode_and_customer_never_change_between_attempts(world: PaymentWorld, changed: dict[str, object]) -> None:
    await held(world, payment_method=DECLINED)

    with pytest.raises(Refusal) as refused:
        await world.charge("r2", **{"capture_mode": CaptureMode.ON_SHIPMENT, **changed})

    assert refused.value.reason is Reason.ILLEGAL_STATE


async def test_another_card_after_a_decline_holds_as_well(world: PaymentWorld) -> None:
    await held(world, payment_method=DECLINED)

    again = await world.charge("r2", capture_mode=CaptureMode.ON_SHIPMENT)

    assert again.state is PaymentState.AUTHORIZED


async def test_a_lapsed_hold_is_news_by_webhook(world: PaymentWorld) -> None:
    payment = await held(world)
    world.gateway.lapse(payment.intent_id)

    await world.ingest("charge.expired", payment.intent_id)
    await world.tasks.close(5.0)

    (news,) = await world.does.news.listed(9)
    assert (news.payment_id, news.state) == (payment.payment_id, PaymentState.CANCELLED)


async def test_a_lapsed_hold_is_news_without_any_webhook_and_is_not_looked_for_before(world: PaymentWorld) -> None:
    payment = await held(world)
    world.gateway.lapse(payment.intent_id)
    looked = world.gateway.seen.count("read")

    world.clock.pass_by(timedelta(days=6).total_seconds())
    await world.does.resume.once()
    assert world.gateway.seen.count("read") == looked
    world.clock.pass_by(timedelta(days=2).total_seconds())
    await world.does.resume.once()
    await world.tasks.close(5.0)

    (news,) = await world.does.news.listed(9)
    assert (news.payment_id, news.state) == (payment.payment_id, PaymentState.CANCELLED)
