"""A provider that says what cannot be: nothing is concluded, a person is called once, and nobody spins."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.app.ports import ProviderEvent
from payment_svc.domain.intent import Intent, IntentStatus, RefundState
from payment_svc.domain.payment import PaymentState
from tests.fakes.payment_gateway import THREE_D_SECURE, Fault
from tests.fakes.payment_service import ORDER, SETTLE_AFTER, PaymentWorld, payment_world

_CONTRADICTION = "payment.contradiction"


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def contradicted(world: PaymentWorld) -> None:
    """Charge, and be refused because of what the provider says."""
    with pytest.raises(Refusal) as refused:
        await world.charge()
    assert refused.value.reason is Reason.PROVIDER_CONTRADICTS
    assert refused.value.metadata == {"orderId": ORDER}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the names of what was logged as an error."""
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("field", ["amount", "payment_id", "order_id"])
async def test_an_intent_about_something_else_is_never_confirmed(world: PaymentWorld, field: str) -> None:
    wrong = {"amount": Money("EUR", 1), "payment_id": "another", "order_id": "another"}
    world.gateway.answer_intent = lambda intent: replace(intent, **{field: wrong[field]})  # type: ignore[arg-type]

    await contradicted(world)

    assert world.gateway.seen == ["create"]
    assert await world.kept() is None


@pytest.mark.parametrize("field", ["amount", "captured"])
async def test_a_charge_of_another_amount_is_never_taken_for_paid(world: PaymentWorld, field: str) -> None:
    def wrong(intent: Intent) -> Intent:
        if intent.status is not IntentStatus.SUCCEEDED:
            return intent
        return replace(intent, **{field: Money("EUR", 1)})  # type: ignore[arg-type]  # its own fields

    world.gateway.answer_intent = wrong

    await contradicted(world)
    await contradicted(world)

    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.PENDING


async def test_an_intent_that_the_account_does_not_know_is_no_failure(world: PaymentWorld) -> None:
    world.gateway.fail("confirm", *[Fault.NOT_SENT] * 9)
    with pytest.raises(Refusal):
        await world.charge()
    world.gateway.intents.clear()

    await contradicted(world)


async def test_many_callers_of_one_charge_are_all_refused_and_operators_are_told_once(
    world: PaymentWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.gateway.answer_intent = lambda intent: replace(intent, amount=Money("EUR", 1))

    await asyncio.gather(*(contradicted(world) for _ in range(5)))

    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.getMessage() == _CONTRADICTION
    assert vars(record)["order_id"] == ORDER
    assert "0.01 EUR" in vars(record)["contradiction"]


async def test_confirming_and_giving_up_are_refused_likewise(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    world.gateway.answer_intent = lambda intent: replace(intent, amount=Money("EUR", 1))

    for call in (world.confirm(payment), world.cancel(payment)):
        with pytest.raises(Refusal) as refused:
            await call
        assert refused.value.reason is Reason.PROVIDER_CONTRADICTS
    assert await world.kept() == payment


async def test_the_worker_comes_back_to_a_contradiction_less_and_less_often(
    world: PaymentWorld, caplog: pytest.LogCaptureFixture
) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    del world.gateway.intents[payment.intent_id]
    for _ in range(720):  # an hour in steps of the worker's period
        world.clock.pass_by(5)
        await world.does.resume.once()

    assert 4 <= len(told(caplog)) <= 9
    assert set(told(caplog)) == {_CONTRADICTION}
    assert "resume.delayed" not in caplog.text


async def test_money_on_a_payment_that_was_given_up_is_seen_and_not_believed(
    world: PaymentWorld, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = await world.charge(payment_method=THREE_D_SECURE)
    cancelled = await world.cancel(waiting)
    intent = world.gateway.intents[waiting.intent_id]
    world.gateway.intents[waiting.intent_id] = replace(intent, status=IntentStatus.SUCCEEDED, captured=waiting.amount)

    event = ProviderEvent("evt_1", "payment_intent.succeeded", waiting.intent_id)
    await world.payments.add_event(event, world.clock.now(), world.clock.now())
    await world.does.resume.once()

    assert told(caplog) == [_CONTRADICTION]
    assert await world.kept() == cancelled
    world.clock.pass_by(SETTLE_AFTER.total_seconds() - 1)
    await world.does.resume.once()
    assert told(caplog) == [_CONTRADICTION]


async def test_a_refund_that_succeeded_and_is_gone_is_not_made_again(
    world: PaymentWorld, caplog: pytest.LogCaptureFixture
) -> None:
    payment = await world.charge()
    refunded = await world.refund(payment, 400)
    assert refunded.refund.state is RefundState.SUCCEEDED
    world.gateway.refunds.clear()
    world.gateway.forget_keys()

    for _ in range(30):
        world.clock.pass_by(86_400)
        await world.does.resume.once()

    assert world.gateway.refunds == []
    assert set(told(caplog)) == {_CONTRADICTION}
    assert await world.kept() == refunded.payment
