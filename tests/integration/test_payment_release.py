"""Giving orphans up: whatever happens, their money goes back once, and no payment of ours is touched."""

from collections.abc import AsyncIterator

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done
from payment_svc.app.books import ListedPayment
from payment_svc.app.ports import Request
from payment_svc.domain.intent import IntentStatus, NewIntent, RefundState
from payment_svc.domain.keys import create_key
from payment_svc.domain.payment import PaymentState, payment_id_of
from payment_svc.domain.refund import Refund
from tests.fakes.payment_gateway import DECLINED, THREE_D_SECURE, VISA, Fault
from tests.fakes.payment_service import ORDER, PaymentWorld, payment_world

_AMOUNT = Money("EUR", 1099)
_FAULTS = list(Fault)


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def orphan(world: PaymentWorld, method: str = "", order_id: str = ORDER, payment_id: str = "") -> str:
    """Make an intent of an order that our ledger knows nothing of, and try to pay with this method."""
    new = NewIntent(payment_id or payment_id_of(order_id), order_id, _AMOUNT)
    made = await world.gateway.create_intent(new, f"orphan of {order_id}")
    assert isinstance(made, Done)
    intent_id: str = made.value.intent_id
    if method:
        await world.gateway.confirm_intent(intent_id, method, f"pay {order_id}")
    return intent_id


async def released(world: PaymentWorld, intent_id: str, request_id: str = "x1", said: str = "") -> ListedPayment:
    request = Request("local", "ReleaseProviderPayment", request_id, said or intent_id)
    return await world.does.release(intent_id, request)


async def refused(world: PaymentWorld, intent_id: str, request_id: str = "x1", said: str = "") -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await released(world, intent_id, request_id, said)
    return refusal.value


@pytest.mark.parametrize("method", ["", DECLINED, THREE_D_SECURE])
async def test_while_no_money_has_moved_it_is_cancelled(world: PaymentWorld, method: str) -> None:
    intent_id = await orphan(world, method)

    after = await released(world, intent_id)

    assert (after.state, after.order_id) == (PaymentState.CANCELLED, ORDER)
    assert world.gateway.intents[intent_id].status is IntentStatus.CANCELLED
    assert world.gateway.charges == []


async def test_money_that_was_taken_is_given_back(world: PaymentWorld) -> None:
    intent_id = await orphan(world, VISA)

    after = await released(world, intent_id)

    assert (after.captured, after.refunded) == (_AMOUNT, _AMOUNT)
    assert world.gateway.refunded(intent_id) == _AMOUNT.minor_units


async def test_of_money_that_went_back_in_part_the_rest_is_given_back(world: PaymentWorld) -> None:
    intent_id = await orphan(world, VISA)
    now = world.clock.now()
    by_hand = Refund("", "", RefundState.PENDING, Money("EUR", 400), "", 1, now, now)
    await world.gateway.create_refund(intent_id, by_hand, "by hand")

    after = await released(world, intent_id)

    assert after.refunded == _AMOUNT
    assert [made.refund.amount.minor_units for made in world.gateway.refunds] == [400, 699]


async def test_what_others_give_back_meanwhile_is_no_refusal(world: PaymentWorld) -> None:
    intent_id = await orphan(world, VISA)

    async def another_process_is_first() -> None:
        now = world.clock.now()
        rest = Refund("another", "", RefundState.PENDING, _AMOUNT, "", 1, now, now)
        await world.gateway.create_refund(intent_id, rest, "another")

    world.gateway.meanwhile["read"] = another_process_is_first

    assert (await released(world, intent_id)).refunded == _AMOUNT
    assert len(world.gateway.refunds) == 1


async def test_money_that_stripe_does_not_give_back_is_for_a_person(
    world: PaymentWorld, caplog: pytest.LogCaptureFixture
) -> None:
    intent_id = await orphan(world, VISA)
    world.gateway.refuses_refunds = "charge_disputed"

    refusal = await refused(world, intent_id)

    assert (refusal.reason, refusal.metadata) == (Reason.PROVIDER_CONTRADICTS, {"orderId": ORDER})
    assert [record.getMessage() for record in caplog.records] == ["payment.contradiction"]


async def test_a_repetition_changes_nothing_even_when_the_provider_has_forgotten_its_keys(world: PaymentWorld) -> None:
    intent_id = await orphan(world, VISA)
    first = await released(world, intent_id)
    world.restart()
    world.gateway.forget_keys()

    assert await released(world, intent_id) == first
    assert await released(world, intent_id, "x2") == first
    assert len(world.gateway.refunds) == 1
    other = await refused(world, intent_id, said="something else")
    assert other.reason is Reason.REQUEST_ID_REUSED


async def test_our_own_payments_are_not_touched(world: PaymentWorld) -> None:
    payment = await world.charge()

    refusal = await refused(world, payment.intent_id)

    assert refusal.reason is Reason.ILLEGAL_STATE
    assert refusal.metadata == {"orderId": ORDER, "paymentId": payment.payment_id}
    assert world.gateway.refunds == []


async def test_an_orders_second_intent_is_given_up_and_its_payment_stays(world: PaymentWorld) -> None:
    second = await orphan(world)
    payment = await world.charge()
    assert payment.intent_id != second

    assert (await released(world, second)).state is PaymentState.CANCELLED
    assert await world.kept() == payment
    assert world.gateway.refunds == []


@pytest.mark.parametrize(("order_id", "payment_id"), [("", "p"), ("", ""), (ORDER, ""), (ORDER, ORDER)])
async def test_what_does_not_carry_our_ids_is_not_ours_to_give_up(
    world: PaymentWorld, order_id: str, payment_id: str
) -> None:
    made = await world.gateway.create_intent(NewIntent(payment_id, order_id, _AMOUNT), "theirs")
    assert isinstance(made, Done)

    assert (await refused(world, made.value.intent_id)).reason is Reason.ILLEGAL_STATE
    assert world.gateway.intents[made.value.intent_id].status is IntentStatus.UNCONFIRMED


async def test_what_does_not_exist_is_not_found(world: PaymentWorld) -> None:
    refusal = await refused(world, "pi_unknown")

    assert (refusal.reason, refusal.metadata) == (Reason.PAYMENT_NOT_FOUND, {"providerPaymentId": "pi_unknown"})


@pytest.mark.parametrize("fault", _FAULTS)
@pytest.mark.parametrize(("operation", "method"), [("cancel", ""), ("refund", VISA), ("read", VISA)])
async def test_one_fault_of_any_kind_is_open_or_done_and_in_the_end_done_once(
    world: PaymentWorld, operation: str, method: str, fault: Fault
) -> None:
    intent_id = await orphan(world, method)
    world.gateway.fail(operation, fault)
    try:
        await released(world, intent_id)
    except Refusal as refusal:
        assert refusal.reason is Reason.UNAVAILABLE  # noqa: PT017  (whether it is raised depends on the fault)
    world.restart()
    after = await released(world, intent_id)
    world.gateway.catch_up()

    assert after.state is PaymentState.CANCELLED or after.refunded == after.captured == _AMOUNT
    assert world.gateway.refunded(intent_id) == (_AMOUNT.minor_units if method else 0)


async def test_money_that_moves_meanwhile_is_given_back(world: PaymentWorld) -> None:
    intent_id = await orphan(world, THREE_D_SECURE)

    async def the_customer_finishes() -> None:
        world.gateway.authenticate(intent_id, success=True)

    world.gateway.fail("cancel", Fault.NOT_SENT)
    world.gateway.meanwhile["cancel"] = the_customer_finishes
    assert (await refused(world, intent_id)).reason is Reason.UNAVAILABLE

    after = await released(world, intent_id)

    assert after.refunded == _AMOUNT


@pytest.mark.parametrize("operation", ["read", "cancel"])
async def test_a_charge_that_takes_the_very_intent_up_meanwhile_is_never_undone(
    world: PaymentWorld, operation: str
) -> None:
    """Its answer to the create was lost, so that it looked like an orphan."""
    made = await world.gateway.create_intent(NewIntent(payment_id_of(ORDER), ORDER, _AMOUNT), create_key(ORDER))
    assert isinstance(made, Done)

    async def the_order_charges() -> None:
        assert (await world.charge()).state is PaymentState.SUCCEEDED

    world.gateway.meanwhile[operation] = the_order_charges
    world.gateway.fail("cancel", Fault.NOT_SENT)
    try:
        await released(world, made.value.intent_id)
    except Refusal as refusal:
        assert refusal.reason in {Reason.UNAVAILABLE, Reason.ILLEGAL_STATE}  # noqa: PT017  (whenever it was noticed)

    assert (await refused(world, made.value.intent_id)).reason is Reason.ILLEGAL_STATE
    assert len(world.gateway.charges) == 1
    assert world.gateway.refunds == []
