"""Charging an order, on a real database and a provider with bad days: one charge, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import IntentStatus
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


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("operation", ["create", "confirm"])
async def test_one_fault_of_any_kind_still_ends_in_one_charge(
    world: PaymentWorld, operation: str, fault: Fault
) -> None:
    world.gateway.fail(operation, fault)

    payment = await world.charge()
    world.gateway.catch_up()

    assert payment.state is PaymentState.SUCCEEDED
    assert len(world.gateway.charges) == 1
    assert await world.charge() == payment


@pytest.mark.parametrize("fault", list(Fault))
async def test_one_fault_of_any_kind_still_ends_in_one_decline(world: PaymentWorld, fault: Fault) -> None:
    world.gateway.fail("confirm", fault)

    payment = await world.charge(payment_method=DECLINED)
    world.gateway.catch_up()

    assert payment.state is PaymentState.DECLINED
    # A late one may be tried once more under its own key, never the customer's money moved.
    assert world.gateway.charges == []


@pytest.mark.parametrize("fault", list(Fault))
async def test_while_the_provider_is_down_the_outcome_is_open_and_later_right(
    world: PaymentWorld, fault: Fault
) -> None:
    for operation in ("create", "confirm", "read"):
        world.gateway.fail(operation, *[fault] * 30)

    for _ in range(3):
        with pytest.raises(Refusal) as refused:
            await world.charge()
        assert refused.value.reason is Reason.UNAVAILABLE
        assert refused.value.retry_after
        world.restart()

    world.gateway._faults.clear()
    world.gateway.catch_up()
    assert (await world.charge()).state is PaymentState.SUCCEEDED
    assert len(world.gateway.charges) == 1


async def test_errors_kept_under_many_keys_do_not_keep_an_order_from_being_paid(world: PaymentWorld) -> None:
    world.gateway.fail("create", *[Fault.ERROR] * 7)
    world.gateway.fail("confirm", *[Fault.ERROR] * 7)
    refusals = 0
    while True:
        try:
            payment = await world.charge()
            break
        except Refusal:
            refusals += 1

    assert refusals <= 6
    assert payment.state is PaymentState.SUCCEEDED
    assert len(world.gateway.charges) == 1


async def test_a_charge_executed_long_after_we_gave_up_is_not_made_twice(world: PaymentWorld) -> None:
    world.gateway.fail("confirm", Fault.LATE, *[Fault.NOT_SENT] * 9)
    with pytest.raises(Refusal):
        await world.charge()
    world.gateway._faults.clear()
    world.gateway.catch_up()
    world.gateway.forget_keys()

    payment = await world.charge()

    assert payment.state is PaymentState.SUCCEEDED
    assert len(world.gateway.charges) == 1
    assert world.gateway.seen.count("create") == 1


async def test_a_caller_whose_time_is_up_hears_so_and_the_charge_goes_on(world: PaymentWorld) -> None:
    world.patience = 0.0

    with pytest.raises(Refusal) as refused:
        await world.charge()

    assert refused.value.reason is Reason.UNAVAILABLE
    world.patience = 10.0
    assert (await world.charge()).state is PaymentState.SUCCEEDED
    assert world.gateway.seen == ["create", "confirm"]


async def test_after_not_after_nothing_is_started(world: PaymentWorld) -> None:
    late = world.clock.now() - timedelta(seconds=1)

    with pytest.raises(Refusal) as refused:
        await world.charge(not_after=late)

    assert refused.value.reason is Reason.DEADLINE_EXCEEDED
    assert world.gateway.seen == []
    assert await world.kept() is None


async def test_an_open_attempt_is_read_but_not_confirmed_after_not_after(world: PaymentWorld) -> None:
    world.gateway.fail("confirm", *[Fault.NOT_SENT] * 9)
    with pytest.raises(Refusal):
        await world.charge()
    world.gateway._faults.clear()
    late = world.clock.now() - timedelta(seconds=1)

    with pytest.raises(Refusal) as refused:
        await world.charge(not_after=late)
    assert refused.value.reason is Reason.DEADLINE_EXCEEDED
    assert world.gateway.charges == []

    assert (await world.charge(not_after=world.clock.now())).state is PaymentState.SUCCEEDED


@pytest.mark.parametrize("field", ["amount", "payment_id", "order_id"])
async def test_an_intent_about_something_else_is_never_confirmed(world: PaymentWorld, field: str) -> None:
    wrong = {"amount": Money("EUR", 1), "payment_id": "another", "order_id": "another"}
    world.gateway.answer_intent = lambda intent: replace(intent, **{field: wrong[field]})  # type: ignore[arg-type]

    with pytest.raises(Contradiction):
        await world.charge()

    assert world.gateway.seen == ["create"]
    assert await world.kept() is None


@pytest.mark.parametrize("field", ["amount", "captured"])
async def test_a_charge_of_another_amount_is_never_taken_for_paid(world: PaymentWorld, field: str) -> None:
    def wrong(intent: object) -> object:
        if getattr(intent, "status", None) is not IntentStatus.SUCCEEDED:
            return intent
        return replace(intent, **{field: Money("EUR", 1)})  # type: ignore[type-var]  # an Intent

    world.gateway.answer_intent = wrong  # type: ignore[assignment]  # it returns what it is given

    with pytest.raises(Contradiction):
        await world.charge()
    with pytest.raises(Contradiction):
        await world.charge()

    kept = await world.kept()
    assert kept is not None
    assert kept.state is PaymentState.PENDING


async def test_an_intent_that_the_account_does_not_know_is_a_defect_and_no_failure(world: PaymentWorld) -> None:
    world.gateway.fail("confirm", *[Fault.NOT_SENT] * 9)
    with pytest.raises(Refusal):
        await world.charge()
    world.gateway.intents.clear()

    with pytest.raises(Contradiction):
        await world.charge()


async def test_a_result_that_meets_another_writers_change_is_settled_by_reading(world: PaymentWorld) -> None:
    async def another_process_takes_the_attempt_up() -> None:
        kept = await world.kept()
        assert kept is not None
        assert await world.payments.save(kept.rekeyed(world.clock.now()), None)

    world.gateway.meanwhile["confirm"] = another_process_takes_the_attempt_up

    payment = await world.charge()

    assert (payment.state, payment.attempt) == (PaymentState.SUCCEEDED, 2)
    assert await world.kept() == payment
    assert world.gateway.seen == ["create", "confirm", "read"]


async def test_a_result_that_another_has_kept_already_is_answered(world: PaymentWorld) -> None:
    async def another_process_keeps_it() -> None:
        kept = await world.kept()
        assert kept is not None
        after = kept.seen(world.gateway.only_intent, world.clock.now())
        assert await world.payments.save(after, None)

    world.gateway.meanwhile["confirm"] = another_process_keeps_it

    payment = await world.charge()

    assert (payment.state, payment.version) == (PaymentState.SUCCEEDED, 2)
    assert world.gateway.seen == ["create", "confirm"]


async def test_a_payment_that_another_gave_up_meanwhile_is_told_as_it_is(world: PaymentWorld) -> None:
    async def another_process_gives_it_up() -> None:
        kept = await world.kept()
        assert kept is not None
        await world.gateway.cancel_intent(kept.intent_id, "another")

    world.gateway.fail("confirm", Fault.NOT_SENT)
    world.gateway.meanwhile["confirm"] = another_process_gives_it_up

    payment = await world.charge()

    assert payment.state is PaymentState.CANCELLED
    assert world.gateway.charges == []


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


async def test_the_usual_card_is_the_default(world: PaymentWorld) -> None:
    assert (await world.charge()).payment_method == VISA
