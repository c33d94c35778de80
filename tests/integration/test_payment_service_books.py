"""Stripe's own books over gRPC: listing them, giving orphans up, and what happens when they differ from ours."""

import pytest
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2

from kernel.errors import Reason
from payment_svc.domain.payment import payment_id_of
from tests.fakes.payment_over_grpc import ORDER, Service, euros
from tests.fakes.sandbox_world import World
from tests.fakes.service_over_grpc import refused


async def listed(payments: Service, page_size: int = 0) -> list[payment_pb2.ProviderPayment]:
    """Return all that Stripe has, page by page."""
    found: list[payment_pb2.ProviderPayment] = []
    token = ""
    while True:
        request = payment_service_pb2.ListProviderPaymentsRequest(page_size=page_size, page_token=token)
        page = await payments.stub.ListProviderPayments(request, timeout=5)
        found += page.payments
        token = page.next_page_token
        if not token:
            return found


async def release(payments: Service, provider_payment_id: str, request_id: str = "x1") -> payment_pb2.ProviderPayment:
    request = payment_service_pb2.ReleaseProviderPaymentRequest(
        request_id=request_id, provider_payment_id=provider_payment_id
    )
    return (await payments.stub.ReleaseProviderPayment(request, timeout=10)).payment


async def test_stripes_payments_are_listed_page_by_page_ours_with_our_ids(payments: Service, world: World) -> None:
    orders = [f"{ORDER[:-1]}{number}" for number in range(1, 6)]
    made = [await payments.charge(order_id=order, request_id=order) for order in orders]
    theirs = await world.pay(2000)
    await payments.refund(made[1].payment_id, 400, "f1")

    found = await listed(payments, page_size=4)

    assert found == await listed(payments)
    ids = [theirs.id, *(payment.provider_payment_id for payment in reversed(made))]
    assert [each.provider_payment_id for each in found] == ids
    assert (found[0].payment_id, found[0].order_id) == ("", "")
    assert [each.order_id for each in found[1:]] == orders[::-1]
    assert [each.payment_id for each in found[1:]] == [payment.payment_id for payment in reversed(made)]
    assert {each.state for each in found} == {payment_pb2.PAYMENT_STATE_SUCCEEDED}
    assert [each.refunded.minor_units for each in found] == [0, 0, 0, 0, 400, 0]
    assert found[1].captured == euros(1099)


async def test_stripes_refunds_are_listed_page_by_page_ours_with_our_ids(payments: Service, world: World) -> None:
    payment = await payments.charge()
    ours = [(await payments.refund(payment.payment_id, 100 + number, f"f{number}")).refund for number in range(3)]
    await world.sdk.v1.refunds.create_async({"payment_intent": payment.provider_payment_id, "amount": 50})

    request = payment_service_pb2.ListProviderRefundsRequest(page_size=2)
    first = await payments.stub.ListProviderRefunds(request, timeout=5)
    request.page_token = first.next_page_token
    second = await payments.stub.ListProviderRefunds(request, timeout=5)

    found = [*first.refunds, *second.refunds]
    assert second.next_page_token == ""
    assert [each.refund_id for each in found] == ["", *(refund.refund_id for refund in reversed(ours))]
    assert [each.amount.minor_units for each in found] == [50, 102, 101, 100]
    assert {each.provider_payment_id for each in found} == {payment.provider_payment_id}
    assert {each.state for each in found} == {payment_pb2.REFUND_STATE_SUCCEEDED}


@pytest.mark.parametrize("token", ["not base64!", "cGlfdW5rbm93bg==", "Li4vY3VzdG9tZXJz"])
async def test_a_token_that_is_none_of_ours_is_named(payments: Service, token: str) -> None:
    for call in (
        payments.stub.ListProviderPayments(
            payment_service_pb2.ListProviderPaymentsRequest(page_token=token), timeout=5
        ),
        payments.stub.ListProviderRefunds(payment_service_pb2.ListProviderRefundsRequest(page_token=token), timeout=5),
    ):
        refusal = await refused(call)
        assert refusal.reason is Reason.VALIDATION_FAILED
        assert [violation.field for violation in refusal.fields] == ["page_token"]


async def test_while_stripe_is_away_its_books_are_unavailable(payments: Service, world: World) -> None:
    await world.fault("stripe", mode="outage")

    for call in (
        payments.stub.ListProviderPayments(payment_service_pb2.ListProviderPaymentsRequest(), timeout=5),
        payments.stub.ListProviderRefunds(payment_service_pb2.ListProviderRefundsRequest(), timeout=5),
        release(payments, "pi_1234"),
    ):
        refusal = await refused(call)
        assert refusal.reason is Reason.UNAVAILABLE
        assert refusal.retry_after is not None


@pytest.mark.parametrize("method", [None, "pm_card_visa"])
async def test_an_orphan_is_given_up_and_its_money_goes_back(
    payments: Service, world: World, method: str | None
) -> None:
    form = {
        "amount": "1099",
        "currency": "eur",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
        "metadata[order_id]": ORDER,
        "metadata[payment_id]": payment_id_of(ORDER),
    }
    if method is not None:
        form |= {"confirm": "true", "payment_method": method}
    orphan = (await world.stripe_post("/v1/payment_intents", form)).json()["id"]

    released = await release(payments, orphan)

    assert released == await release(payments, orphan)
    assert [each for each in await listed(payments) if each.provider_payment_id == orphan] == [released]
    if method is None:
        assert released.state == payment_pb2.PAYMENT_STATE_CANCELLED
    else:
        assert released.captured == released.refunded == euros(1099)
        assert [refund["amount"] for refund in (await world.ledger())["refunds"]] == [1099]


async def test_a_payment_of_ours_is_no_orphan(payments: Service, world: World) -> None:
    payment = await payments.charge()

    refusal = await refused(release(payments, payment.provider_payment_id))

    assert refusal.reason is Reason.ILLEGAL_STATE
    assert refusal.metadata == {"orderId": ORDER, "paymentId": payment.payment_id}
    assert (await world.ledger())["refunds"] == []


async def test_a_record_of_stripes_that_contradicts_ours_is_told_as_such(payments: Service, world: World) -> None:
    payment = await payments.charge("pm_card_authenticationRequired")
    path = f"/v1/payment_intents/{payment.provider_payment_id}"
    (await world.stripe_post(path, {"metadata[order_id]": "another"})).raise_for_status()

    request = payment_service_pb2.ConfirmPaymentRequest(request_id="c1", payment_id=payment.payment_id)
    refusal = await refused(payments.stub.ConfirmPayment(request, timeout=5))

    assert (refusal.reason, refusal.metadata) == (Reason.PROVIDER_CONTRADICTS, {"orderId": ORDER})
    assert await payments.get(payment.payment_id) == payment
