"""The payment service as others meet it: over gRPC, on its own database, before a running sandbox."""

import asyncio

import pytest
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2

from kernel.errors import Reason
from tests.fakes.payment_over_grpc import ORDER, Service, authenticate, euros
from tests.fakes.sandbox_world import World
from tests.fakes.service_over_grpc import refused

_NOBODY = "0199a0b0-0000-7000-8000-00000000ffff"
_SUCCEEDED = payment_pb2.PAYMENT_STATE_SUCCEEDED


async def test_a_payment_is_made_read_and_listed(payments: Service, world: World) -> None:
    payment = await payments.charge()

    assert payment.state == _SUCCEEDED
    assert payment.captured == payment.amount == euros(1099)
    assert await payments.get(payment.payment_id) == payment
    ledger = await world.ledger(ORDER)
    (charge,) = ledger["charges"]
    assert (charge["payment_intent"], charge["amount"]) == (payment.provider_payment_id, 1099)
    assert charge["metadata"] == {"order_id": ORDER, "payment_id": payment.payment_id}


async def test_payments_are_listed_newest_first_page_by_page(payments: Service) -> None:
    orders = [f"{ORDER[:-1]}{number}" for number in range(1, 6)]
    made = [await payments.charge(order_id=order, request_id=order) for order in orders]
    listed: list[payment_pb2.Payment] = []
    token = ""
    while True:
        page = await payments.stub.ListPayments(
            payment_service_pb2.ListPaymentsRequest(page_size=2, page_token=token), timeout=5
        )
        listed += page.payments
        token = page.next_page_token
        if not token:
            break

    assert listed == made[::-1]
    one = await payments.stub.ListPayments(payment_service_pb2.ListPaymentsRequest(order_id=orders[2]), timeout=5)
    assert list(one.payments) == [made[2]]
    assert one.next_page_token == ""


async def test_twenty_equal_calls_at_once_are_one_charge(payments: Service, world: World) -> None:
    answers = await asyncio.gather(*(payments.charge() for _ in range(20)))

    assert {answer.SerializeToString() for answer in answers} == {answers[0].SerializeToString()}
    assert len((await world.ledger())["charges"]) == 1


async def test_a_declined_card_charges_nothing_and_another_one_pays_on_the_same_intent(
    payments: Service, world: World
) -> None:
    declined = await payments.charge("pm_card_visa_chargeDeclinedInsufficientFunds")
    assert declined.state == payment_pb2.PAYMENT_STATE_DECLINED
    assert (declined.decline.code, declined.decline.decline_code) == ("card_declined", "insufficient_funds")
    assert declined.decline.message == "Your card has insufficient funds."
    assert (await world.ledger())["charges"] == []

    paid = await payments.charge(request_id="r2")

    assert (paid.state, paid.provider_payment_id) == (_SUCCEEDED, declined.provider_payment_id)


async def test_three_d_secure_is_finished_by_the_customer_and_confirmed(payments: Service, world: World) -> None:
    waiting = await payments.charge("pm_card_authenticationRequired")
    assert waiting.state == payment_pb2.PAYMENT_STATE_ACTION_REQUIRED
    assert waiting.client_secret.startswith(f"{waiting.provider_payment_id}_secret_")
    await authenticate(world, waiting)

    request = payment_service_pb2.ConfirmPaymentRequest(request_id="c1", payment_id=waiting.payment_id)
    paid = (await payments.stub.ConfirmPayment(request, timeout=5)).payment

    assert (paid.state, paid.client_secret) == (_SUCCEEDED, "")


async def test_a_payment_is_given_up_before_money_moves(payments: Service) -> None:
    waiting = await payments.charge("pm_card_authenticationRequired")

    request = payment_service_pb2.CancelPaymentRequest(request_id="x1", payment_id=waiting.payment_id)
    for _ in range(2):
        cancelled = (await payments.stub.CancelPayment(request, timeout=5)).payment
        assert cancelled.state == payment_pb2.PAYMENT_STATE_CANCELLED


async def test_money_goes_back_in_parts_and_never_more_than_came(payments: Service, world: World) -> None:
    payment = await payments.charge()
    first = await payments.refund(payment.payment_id, 400, "f1")
    assert first.refund.state == payment_pb2.REFUND_STATE_SUCCEEDED
    assert await payments.refund(payment.payment_id, 400, "f1") == first
    rest = await payments.refund(payment.payment_id, None, "f2")

    assert rest.refund.amount == euros(699)
    assert rest.payment.refunded == rest.payment.captured
    assert [refund["amount"] for refund in (await world.ledger())["refunds"]] == [400, 699]
    refusal = await refused(payments.refund(payment.payment_id, 1, "f3"))
    assert (refusal.reason, refusal.metadata) == (Reason.REFUND_EXCEEDS_PAYMENT, {"refundableMinorUnits": "0"})


async def test_what_does_not_exist_is_not_found(payments: Service) -> None:
    refusal = await refused(payments.get(_NOBODY))

    assert (refusal.reason, refusal.metadata) == (Reason.PAYMENT_NOT_FOUND, {"paymentId": _NOBODY})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"order_id": "no-uuid"}, "order_id"),
        ({"method": "a card, a blue one"}, "payment_method"),
        ({"minor_units": 49}, "amount.minor_units"),
        ({"minor_units": -1}, "amount.minor_units"),
        ({"minor_units": 2**62}, "amount.minor_units"),
    ],
)
async def test_a_wrong_field_is_named_and_leaves_no_trace(
    payments: Service, world: World, changes: dict[str, object], field: str
) -> None:
    refusal = await refused(payments.charge(**changes))  # type: ignore[arg-type]  # its own parameters

    assert refusal.reason in {Reason.VALIDATION_FAILED, Reason.AMOUNT_OUT_OF_RANGE}
    assert [violation.field for violation in refusal.fields] == [field]
    assert not (await payments.stub.ListPayments(payment_service_pb2.ListPaymentsRequest(), timeout=5)).payments
    assert (await world.ledger())["charges"] == []


async def test_a_refused_payment_method_is_named(payments: Service) -> None:
    refusal = await refused(payments.charge("pm_nobody_knows"))

    assert refusal.reason is Reason.PAYMENT_METHOD_INVALID
    assert refusal.metadata == {"orderId": ORDER}
    assert [violation.field for violation in refusal.fields] == ["payment_method"]
