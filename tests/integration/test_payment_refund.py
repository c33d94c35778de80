"""Giving money back: once per request, never more than was taken, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.app.give_back import RefundOrder
from payment_svc.app.ports import Request
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import RefundState
from payment_svc.domain.keys import refund_key
from payment_svc.domain.payment import Payment, PaymentState
from tests.fakes.payment_gateway import DECLINED, Fault
from tests.fakes.payment_service import PaymentWorld, payment_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


@pytest.fixture
async def paid(world: PaymentWorld) -> Payment:
    return await world.charge()


async def later(world: PaymentWorld, seconds: float = 3600) -> Payment:
    """Let time pass and the worker go round, and return the payment as it is then."""
    world.clock.pass_by(seconds)
    await world.does.resume.once()
    payment = await world.kept()
    assert payment is not None
    return payment


async def another_process_finds_it_made(world: PaymentWorld) -> None:
    """Store the payment's first refund as made."""
    kept = await world.kept()
    assert kept is not None
    made = replace(kept.refunds[0], state=RefundState.SUCCEEDED, provider_refund_id="re_1")
    assert await world.payments.save_refund(kept.with_refund_changed(made, world.clock.now()), made, None)


async def test_a_part_is_given_back(world: PaymentWorld, paid: Payment) -> None:
    refunded = await world.refund(paid, 400)

    assert refunded.refund.state is RefundState.SUCCEEDED
    assert refunded.refund.provider_refund_id == world.gateway.refunds[0].refund.provider_refund_id
    assert refunded.payment.state is PaymentState.SUCCEEDED
    assert refunded.payment.refunded == Money("EUR", 400)
    assert refunded.payment.refunds == (refunded.refund,)
    assert await world.kept() == refunded.payment


async def test_without_an_amount_all_that_is_left_is_given_back(world: PaymentWorld, paid: Payment) -> None:
    await world.refund(paid, 400)

    refunded = await world.refund(paid, None, "f2")

    assert refunded.refund.amount == Money("EUR", 699)
    assert refunded.payment.refundable == Money("EUR", 0)
    with pytest.raises(Refusal) as refused:
        await world.refund(paid, None, "f3")
    assert refused.value.reason is Reason.REFUND_EXCEEDS_PAYMENT
    assert refused.value.metadata == {"refundableMinorUnits": "0"}


async def test_a_repetition_hears_of_the_same_refund(world: PaymentWorld, paid: Payment) -> None:
    first = await world.refund(paid, 400)
    world.restart()

    assert await world.refund(paid, 400) == first
    assert len(world.gateway.refunds) == 1


async def test_two_equal_refunds_under_two_keys_are_two(world: PaymentWorld, paid: Payment) -> None:
    await world.refund(paid, 400)
    await world.refund(paid, 400, "f2")

    assert world.gateway.refunded(paid.intent_id) == 800


async def test_a_key_with_another_amount_is_refused(world: PaymentWorld, paid: Payment) -> None:
    await world.refund(paid, 400)

    with pytest.raises(Refusal) as refused:
        await world.refund(paid, 500)

    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert world.gateway.refunded(paid.intent_id) == 400


async def test_more_than_was_taken_is_refused_before_anybody_is_asked(world: PaymentWorld, paid: Payment) -> None:
    with pytest.raises(Refusal) as refused:
        await world.refund(paid, 1100)

    assert refused.value.reason is Reason.REFUND_EXCEEDS_PAYMENT
    assert refused.value.metadata == {"refundableMinorUnits": "1099"}
    assert "refund" not in world.gateway.seen


async def test_refunds_at_the_same_time_never_exceed_what_was_taken(world: PaymentWorld, paid: Payment) -> None:
    async def one(number: int) -> bool:
        if number % 2:
            world.restart()
        try:
            await world.refund(paid, 500, f"f{number}")
        except Refusal as refusal:
            if refusal.reason not in {Reason.REFUND_EXCEEDS_PAYMENT, Reason.UNAVAILABLE}:
                raise
            return False
        return True

    made = await asyncio.gather(*(one(number) for number in range(6)))

    assert sum(made) <= 2
    after = await later(world)
    assert after.refunded.minor_units == world.gateway.refunded(paid.intent_id) <= 1099


async def test_equal_refunds_at_the_same_time_are_one(world: PaymentWorld, paid: Payment) -> None:
    answers = await asyncio.gather(*(world.refund(paid, 400) for _ in range(10)))

    assert {answer.refund.refund_id for answer in answers} == {answers[0].refund.refund_id}
    assert len(world.gateway.refunds) == 1


async def test_pending_refunds_count_against_what_is_left(world: PaymentWorld, paid: Payment) -> None:
    world.gateway.fail("refund", Fault.NOT_SENT)
    pending = await world.refund(paid, 1000)
    assert pending.refund.state is RefundState.PENDING
    assert pending.payment.refunded == Money("EUR", 1000)

    with pytest.raises(Refusal) as refused:
        await world.refund(paid, 100, "f2")

    assert refused.value.metadata == {"refundableMinorUnits": "99"}


async def test_what_was_not_taken_cannot_be_given_back(world: PaymentWorld) -> None:
    declined = await world.charge(payment_method=DECLINED)

    with pytest.raises(Refusal) as refused:
        await world.refund(declined, 100)

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert refused.value.metadata == {"state": "DECLINED", "allowed": "SUCCEEDED"}


@pytest.mark.parametrize(
    ("amount", "field"),
    [
        (Money("USD", 100), "amount.currency_code"),
        (Money("EUR", 0), "amount.minor_units"),
        (Money("EUR", -1), "amount.minor_units"),
    ],
)
async def test_an_amount_that_makes_no_sense_is_refused_by_its_field(
    world: PaymentWorld, paid: Payment, amount: Money, field: str
) -> None:
    with pytest.raises(Refusal) as refused:
        await world.does.refund(RefundOrder(paid.payment_id, amount), Request("local", "RefundPayment", "f1", "x"))

    assert refused.value.reason is Reason.VALIDATION_FAILED
    assert refused.value.fields[0].field == field


async def test_a_fraction_that_stripe_does_not_take_is_refused_before_it_is_journalled(world: PaymentWorld) -> None:
    payment = await world.charge(amount=Money("KWD", 5000))

    with pytest.raises(Refusal) as refused:
        await world.refund(payment, 1005)

    assert refused.value.reason is Reason.AMOUNT_OUT_OF_RANGE
    assert (await world.kept()) == payment


@pytest.mark.parametrize("fault", list(Fault))
async def test_one_fault_of_any_kind_still_ends_in_one_refund(world: PaymentWorld, paid: Payment, fault: Fault) -> None:
    world.gateway.fail("refund", fault)

    await world.refund(paid, 400)
    world.gateway.catch_up()
    world.gateway.forget_keys()
    after = await later(world)

    assert [refund.state for refund in after.refunds] == [RefundState.SUCCEEDED]
    assert world.gateway.refunded(paid.intent_id) == 400


async def test_an_outage_of_days_delays_a_refund_and_no_more(world: PaymentWorld, paid: Payment) -> None:
    for operation in ("refund", "find"):
        world.gateway.fail(operation, *[Fault.NOT_SENT] * 100)
    await world.refund(paid, None)
    for _ in range(60):
        await later(world)
    calls = len(world.gateway.seen)
    world.gateway._faults.clear()

    after = await later(world)

    assert [refund.state for refund in after.refunds] == [RefundState.SUCCEEDED]
    assert calls < 100
    assert await later(world) == after


@pytest.mark.parametrize("code", ["balance_insufficient", "charge_disputed", "http_400"])
async def test_a_refund_that_is_refused_for_good_leaves_the_money_with_us(
    world: PaymentWorld, paid: Payment, code: str
) -> None:
    done = await world.refund(paid, 300, "f0")
    world.gateway.refuses_refunds = code

    refunded = await world.refund(paid, 400)

    assert refunded.refund.state is RefundState.FAILED
    assert refunded.payment.refunded == Money("EUR", 300)
    assert refunded.payment.refunds == (done.refund, refunded.refund)
    assert await world.kept() == refunded.payment
    world.gateway.refuses_refunds = ""
    assert await world.refund(paid, 400) == refunded
    assert (await later(world)).refunded == Money("EUR", 300)
    assert (await world.refund(paid, 799, "f2")).refund.state is RefundState.SUCCEEDED


async def test_a_refusal_that_comes_after_others_saw_the_refund_made_changes_nothing(
    world: PaymentWorld, paid: Payment
) -> None:
    world.gateway.refuses_refunds = "charge_already_refunded"
    world.gateway.meanwhile["find"] = partial(another_process_finds_it_made, world)

    refunded = await world.refund(paid, 400)

    assert refunded.refund.state is RefundState.SUCCEEDED
    assert await world.kept() == refunded.payment


async def test_two_processes_that_meet_a_spent_key_go_on_under_one_new_key(world: PaymentWorld, paid: Payment) -> None:
    async def another_process_goes_on_first() -> None:
        kept = await world.kept()
        assert kept is not None
        rekeyed = kept.refunds[0].rekeyed(1, world.clock.now())
        assert await world.payments.save_refund(kept.with_refund_changed(rekeyed, world.clock.now()), rekeyed, None)
        await world.gateway.create_refund(kept.intent_id, rekeyed, refund_key(rekeyed.refund_id, rekeyed.send))

    world.gateway.fail("refund", Fault.ERROR)
    world.gateway.meanwhile["find"] = another_process_goes_on_first

    refunded = await world.refund(paid, 400)

    assert refunded.refund.state is RefundState.SUCCEEDED
    assert world.gateway.refunded(paid.intent_id) == 400


async def test_a_key_that_is_spent_after_others_saw_the_refund_made_makes_no_second(
    world: PaymentWorld, paid: Payment
) -> None:
    world.gateway.fail("refund", Fault.ERROR)
    world.gateway.meanwhile["find"] = partial(another_process_finds_it_made, world)

    refunded = await world.refund(paid, 400)

    assert refunded.refund.state is RefundState.SUCCEEDED
    assert world.gateway.seen.count("refund") == 1


async def test_a_refund_that_the_bank_still_works_on_is_followed_to_its_end(world: PaymentWorld, paid: Payment) -> None:
    world.gateway.refund_state = RefundState.PENDING
    refunded = await world.refund(paid, 400)
    assert refunded.refund.state is RefundState.PENDING
    assert refunded.refund.provider_refund_id

    world.gateway.return_refund(refunded.refund.refund_id)
    after = await later(world)

    assert [refund.state for refund in after.refunds] == [RefundState.FAILED]
    assert after.refunded == Money("EUR", 0)
    assert world.gateway.seen.count("refund") == 1


async def test_an_answer_about_another_amount_is_never_taken_for_our_refund(world: PaymentWorld, paid: Payment) -> None:
    world.gateway.fail("refund", Fault.LOST_ANSWER)
    world.gateway.fail("find", Fault.NOT_SENT)
    await world.refund(paid, 400)
    made = world.gateway.refunds[0]
    world.gateway.refunds = [replace(made, refund=replace(made.refund, amount=Money("EUR", 399)))]

    after = await later(world)

    assert after.refunds[0].state is RefundState.PENDING
    with pytest.raises(Contradiction):
        after.refunds[0].seen(world.gateway.refunds[0].refund, world.clock.now())
