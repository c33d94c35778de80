"""Giving a payment up before money has moved."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from kernel.errors import Reason, Refusal
from payment_svc.domain.intent import IntentStatus
from payment_svc.domain.payment import PaymentState
from tests.fakes.payment_gateway import DECLINED, THREE_D_SECURE, Fault
from tests.fakes.payment_service import ORDER, PaymentWorld, payment_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def test_a_payment_that_was_given_up_cannot_be_charged(world: PaymentWorld) -> None:
    declined = await world.charge(payment_method=DECLINED)
    cancelled = await world.cancel(declined)
    assert cancelled.state is PaymentState.CANCELLED

    with pytest.raises(Refusal) as refused:
        await world.charge("r2")

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert (await world.charge(payment_method=DECLINED)).state is PaymentState.CANCELLED
    assert world.gateway.charges == []


async def test_a_paid_payment_is_not_given_up(world: PaymentWorld) -> None:
    payment = await world.charge()

    assert await world.cancel(payment) == payment
    assert "cancel" not in world.gateway.seen


@pytest.mark.parametrize("fault", list(Fault))
async def test_giving_up_is_known_or_open_and_in_the_end_done(world: PaymentWorld, fault: Fault) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    world.gateway.fail("cancel", fault)
    try:
        cancelled = await world.cancel(payment)
    except Refusal as refusal:
        if refusal.reason is not Reason.UNAVAILABLE:
            raise
        world.gateway.catch_up()
        cancelled = await world.cancel(payment)

    assert cancelled.state is PaymentState.CANCELLED
    assert (await world.cancel(payment)).state is PaymentState.CANCELLED
    assert world.gateway.only_intent.status is IntentStatus.CANCELLED


async def test_money_that_moved_before_it_was_given_up_is_told(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    world.gateway.authenticate(payment.intent_id, success=True)

    assert (await world.cancel(payment)).state is PaymentState.SUCCEEDED


async def test_a_key_used_for_one_payment_is_refused_for_another_before_anything_is_done(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    other = await world.charge("r2", order_id=ORDER.replace("1", "2"), payment_method=THREE_D_SECURE)
    await world.cancel(payment)

    with pytest.raises(Refusal) as refused:
        await world.cancel(other)

    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert world.gateway.intents[other.intent_id].status is IntentStatus.ACTION_REQUIRED


async def test_what_does_not_exist_is_not_found(world: PaymentWorld) -> None:
    payment = replace(await world.charge(), payment_id="0199a0b0-0000-7000-8000-00000000ffff")

    for call in (world.confirm(payment), world.cancel(payment), world.refund(payment)):
        with pytest.raises(Refusal) as refused:
            await call
        assert refused.value.reason is Reason.PAYMENT_NOT_FOUND
        assert refused.value.metadata == {"paymentId": payment.payment_id}
