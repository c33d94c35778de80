"""Charging an order on a real database: one charge, however often and by however many it is asked for."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.domain.payment import PaymentState, payment_id_of
from tests.fakes.payment_gateway import DECLINED, MISSING, SLOW_BANK, THREE_D_SECURE, VISA, Fault
from tests.fakes.payment_service import ORDER, PaymentWorld, payment_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def test_a_good_card_pays_with_two_calls_and_two_commits(world: PaymentWorld) -> None:
    before = world.payments._store.stats.commits

    payment = await world.charge()

    assert payment.state is PaymentState.SUCCEEDED
    assert payment.captured == payment.amount == Money("EUR", 1099)
    assert payment.payment_id == payment_id_of(ORDER)
    assert world.gateway.seen == ["create", "confirm"]
    assert world.payments._store.stats.commits - before == 2
    assert await world.kept() == payment


async def test_the_intents_id_is_kept_before_money_can_move(world: PaymentWorld) -> None:
    world.gateway.fail("confirm", *[Fault.NOT_SENT] * 9)
    world.gateway.fail("read", *[Fault.NOT_SENT] * 9)

    with pytest.raises(Refusal) as refused:
        await world.charge()

    assert refused.value.reason is Reason.UNAVAILABLE
    kept = await world.kept()
    assert kept is not None
    assert (kept.state, kept.intent_id) == (PaymentState.PENDING, world.gateway.only_intent.intent_id)


async def test_a_repetition_hears_the_same_and_asks_nobody(world: PaymentWorld) -> None:
    first = await world.charge()
    world.restart()

    again = await world.charge()

    assert again == first
    assert world.gateway.seen == ["create", "confirm"]


async def test_a_repetition_with_another_body_is_refused_and_changes_nothing(world: PaymentWorld) -> None:
    first = await world.charge()

    with pytest.raises(Refusal) as refused:
        await world.charge(amount=Money("EUR", 2000))

    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert await world.kept() == first
    assert world.gateway.seen == ["create", "confirm"]


async def test_a_key_of_another_order_is_refused(world: PaymentWorld) -> None:
    await world.charge()

    with pytest.raises(Refusal) as refused:
        await world.charge(order_id=ORDER.replace("1", "2"))

    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert len(world.gateway.intents) == 1


async def test_equal_calls_at_the_same_time_share_one_run(world: PaymentWorld) -> None:
    payments = await asyncio.gather(*(world.charge() for _ in range(20)))

    assert len(set(map(id, payments))) == 1
    assert world.gateway.seen == ["create", "confirm"]


async def test_two_processes_with_one_request_charge_once(world: PaymentWorld) -> None:
    one = asyncio.create_task(world.charge())
    await asyncio.sleep(0)  # it has begun, with the use cases of the first process
    world.restart()

    answers = await asyncio.gather(one, world.charge())

    assert {answer.state for answer in answers} == {PaymentState.SUCCEEDED}
    assert len(world.gateway.charges) == 1
    assert len(world.gateway.intents) == 1


async def test_different_requests_at_the_same_time_charge_once(world: PaymentWorld) -> None:
    answers = await asyncio.gather(*(world.charge(f"r{number}") for number in range(10)))

    assert len(world.gateway.charges) == 1
    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.SUCCEEDED
    assert {answer.payment_id for answer in answers} == {kept.payment_id}


async def test_a_caller_that_leaves_does_not_stop_the_charge(world: PaymentWorld) -> None:
    call = asyncio.create_task(world.charge())
    await world.gateway.reached.wait()

    call.cancel()

    payment = await world.charge()
    assert payment.state is PaymentState.SUCCEEDED
    assert world.gateway.seen.count("create") == world.gateway.seen.count("confirm") == 1


async def test_a_decline_is_an_answer_with_its_reasons(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=DECLINED)

    assert payment.state is PaymentState.DECLINED
    assert payment.decline is not None
    assert (payment.decline.code, payment.decline.decline_code) == ("card_declined", "insufficient_funds")
    assert payment.decline.message
    assert world.gateway.charges == []
    assert await world.charge(payment_method=DECLINED) == payment


async def test_after_a_decline_a_new_request_tries_again_on_the_same_intent(world: PaymentWorld) -> None:
    await world.charge(payment_method=DECLINED)

    payment = await world.charge("r2")

    assert (payment.state, payment.attempt, payment.decline) == (PaymentState.SUCCEEDED, 2, None)
    assert len(world.gateway.intents) == 1
    assert len(world.gateway.charges) == 1


async def test_a_second_decline_is_told_from_the_first(world: PaymentWorld) -> None:
    first = await world.charge(payment_method=DECLINED)
    world.gateway.fail("confirm", Fault.LOST_ANSWER)

    second = await world.charge("r2", payment_method=DECLINED)

    assert first.decline is not None
    assert second.decline is not None
    assert first.decline.failure_id != second.decline.failure_id
    assert world.gateway.attempts[second.intent_id] == 2


async def test_an_old_decline_is_not_taken_for_the_answer_to_a_new_attempt(world: PaymentWorld) -> None:
    await world.charge(payment_method=DECLINED)
    world.gateway.fail("confirm", Fault.NOT_SENT)

    payment = await world.charge("r2")

    assert payment.state is PaymentState.SUCCEEDED


async def test_another_request_while_one_is_paid_hears_the_payment_and_pays_nothing(world: PaymentWorld) -> None:
    first = await world.charge()

    assert await world.charge("r2", payment_method=DECLINED) == first
    assert await world.charge("r2", payment_method=DECLINED) == first
    assert world.gateway.attempts[first.intent_id] == 1


async def test_a_request_that_was_answered_as_it_was_never_starts_an_attempt_later(world: PaymentWorld) -> None:
    await world.charge(payment_method=THREE_D_SECURE)
    await world.charge("r2")
    world.gateway.authenticate(world.gateway.only_intent.intent_id, success=False)
    payment = await world.kept()
    assert payment is not None
    await world.confirm(payment)

    repeated = await world.charge("r2")

    assert repeated.state is PaymentState.DECLINED
    assert world.gateway.charges == []


async def test_another_amount_for_the_same_order_is_refused(world: PaymentWorld) -> None:
    await world.charge(payment_method=DECLINED)

    with pytest.raises(Refusal) as refused:
        await world.charge("r2", amount=Money("EUR", 1100))

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert refused.value.metadata["state"] == "DECLINED"


async def test_three_d_secure_leaves_the_customer_with_a_client_secret(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)

    assert payment.state is PaymentState.ACTION_REQUIRED
    assert payment.client_secret == world.gateway.only_intent.client_secret
    assert payment.client_secret not in repr(payment)

    world.gateway.authenticate(payment.intent_id, success=True)
    paid = await world.confirm(payment)
    assert (paid.state, paid.client_secret) == (PaymentState.SUCCEEDED, "")


async def test_a_slow_bank_leaves_the_payment_pending_until_it_has_decided(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=SLOW_BANK)
    assert payment.state is PaymentState.PENDING

    world.gateway.decide(payment.intent_id)

    assert (await world.charge(payment_method=SLOW_BANK)).state is PaymentState.SUCCEEDED
    assert world.gateway.seen.count("confirm") == 1


async def test_an_unknown_payment_method_is_refused_each_time_it_is_asked(world: PaymentWorld) -> None:
    for _ in range(2):
        with pytest.raises(Refusal) as refused:
            await world.charge(payment_method=MISSING)
        assert refused.value.reason is Reason.PAYMENT_METHOD_INVALID
        assert refused.value.fields[0].field == "payment_method"
        world.restart()

    assert world.gateway.seen == ["create", "confirm"]
    assert (await world.charge("r2")).state is PaymentState.SUCCEEDED


@pytest.mark.parametrize(
    ("amount", "metadata"),
    [
        (Money("EUR", 49), {"minimumMinorUnits": "50"}),
        (Money("EUR", 0), {"minimumMinorUnits": "50"}),
        (Money("EUR", -5000), {"minimumMinorUnits": "50"}),
        (Money("EUR", 100_000_000), {"maximumMinorUnits": "99999999"}),
        (Money("KWD", 1005), {"multipleOfMinorUnits": "10"}),
    ],
)
async def test_an_amount_out_of_range_is_refused_before_anybody_is_asked(
    world: PaymentWorld, amount: Money, metadata: dict[str, str]
) -> None:
    with pytest.raises(Refusal) as refused:
        await world.charge(amount=amount)

    assert refused.value.reason is Reason.AMOUNT_OUT_OF_RANGE
    assert refused.value.metadata == metadata
    assert refused.value.fields[0].field == "amount.minor_units"
    assert world.gateway.seen == []


async def test_a_currency_that_stripe_does_not_take_is_refused_by_its_field(world: PaymentWorld) -> None:
    with pytest.raises(Refusal) as refused:
        await world.charge(amount=Money("IQD", 500_000))

    assert refused.value.fields[0].field == "amount.currency_code"
    assert await world.kept() is None


async def test_the_usual_card_is_the_default(world: PaymentWorld) -> None:
    assert (await world.charge()).payment_method == VISA
