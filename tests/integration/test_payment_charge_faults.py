"""Charging an order with a provider that has bad days, and others at work: one charge, whatever happens."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.retry_budget import RetryBudget
from kernel.errors import Reason, Refusal
from payment_svc.domain.payment import PaymentState
from tests.fakes.payment_gateway import DECLINED, Fault
from tests.fakes.payment_service import PaymentWorld, payment_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


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


async def test_when_the_budget_for_repeating_is_used_up_each_charge_asks_once(world: PaymentWorld) -> None:
    world.retries = RetryBudget(5)
    world.restart()
    world.gateway.fail("create", *[Fault.NOT_SENT] * 99)
    for number in range(20):
        with pytest.raises(Refusal) as refused:
            await world.charge(f"r{number}")
        assert refused.value.reason is Reason.UNAVAILABLE
    assert 20 + 5 <= world.gateway.seen.count("create") <= 20 + 5 + 2

    world.gateway._faults.clear()
    assert (await world.charge()).state is PaymentState.SUCCEEDED


async def test_a_lost_charge_without_any_budget_is_open_and_found_by_its_repetition(world: PaymentWorld) -> None:
    world.retries = RetryBudget(0)
    world.restart()
    world.gateway.fail("confirm", Fault.LOST_ANSWER)
    with pytest.raises(Refusal) as refused:
        await world.charge()
    assert refused.value.reason is Reason.UNAVAILABLE

    assert (await world.charge()).state is PaymentState.SUCCEEDED
    assert world.gateway.seen == ["create", "confirm", "read"]
