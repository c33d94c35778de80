"""Holds, saved customers, disputes and refunds by hand, over gRPC and before the sandbox with its webhooks."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2

from kernel.errors import Reason
from tests.fakes.payment_over_grpc import ORDER, Service, euros, service_with_webhooks
from tests.fakes.sandbox_world import STRIPE_KEY, World
from tests.fakes.service_over_grpc import refused
from tests.fakes.webhook_sink import WebhookSink

Mesh = tuple[Service, World, WebhookSink]


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with service_with_webhooks(tmp_path) as running:
        yield running


async def post(world: World, path: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401  (whatever httpx takes)
    answer = await world.http.post(f"/stripe{path}", headers=STRIPE_KEY, **body)
    answer.raise_for_status()
    document: dict[str, Any] = answer.json()
    return document


async def charge(service: Service, request_id: str = "r1", **fields: Any) -> payment_pb2.Payment:  # noqa: ANN401  (the request's)
    said = {"order_id": ORDER, "amount": euros(1099), "payment_method": "pm_card_visa", **fields}
    request = payment_service_pb2.ChargePaymentRequest(request_id=request_id, **said)
    return (await service.stub.ChargePayment(request, timeout=10)).payment


async def held(service: Service) -> payment_pb2.Payment:
    return await charge(service, capture_mode=payment_pb2.CAPTURE_MODE_ON_SHIPMENT)


async def capture(service: Service, payment: payment_pb2.Payment, minor_units: int) -> payment_pb2.Payment:
    request = payment_service_pb2.CapturePaymentRequest(
        request_id="k1", payment_id=payment.payment_id, amount=euros(minor_units)
    )
    return (await service.stub.CapturePayment(request, timeout=10)).payment


async def told(service: Service, sink: WebhookSink, payment_id: str, kind: str) -> payment_pb2.Payment:
    """Hand on the webhooks up to one of a kind, and return the payment once it is news."""
    while True:
        arrived = await sink.next()
        await service.ingest(arrived.body, arrived.headers["stripe-signature"])
        if kind.encode() in arrived.body:
            break
    while True:
        news = (await service.stub.ListPaymentNews(payment_service_pb2.ListPaymentNewsRequest(), timeout=5)).payments
        if news:
            assert [each.payment_id for each in news] == [payment_id]
            return news[0]


async def test_a_hold_is_taken_in_part_and_the_rest_released(mesh: Mesh) -> None:
    service, world, _ = mesh
    payment = await held(service)
    assert payment.state == payment_pb2.PAYMENT_STATE_AUTHORIZED
    assert payment.hold_expire_time.seconds - payment.create_time.seconds == pytest.approx(7 * 86_400, abs=5)

    taken = await capture(service, payment, 700)

    assert (taken.state, taken.captured) == (payment_pb2.PAYMENT_STATE_SUCCEEDED, euros(700))
    assert not taken.HasField("hold_expire_time")
    assert await capture(service, payment, 700) == taken
    refunded = await service.refund(payment.payment_id, None, "f1")
    assert (refunded.refund.amount, refunded.refund.request_id) == (euros(700), "f1")
    assert [each["amount"] for each in (await world.ledger())["refunds"]] == [700]


async def test_a_hold_that_lapses_is_news(mesh: Mesh) -> None:
    service, world, sink = mesh
    payment = await held(service)

    await post(world, f"/_sandbox/payment_intents/{payment.provider_payment_id}/lapse")

    news = await told(service, sink, payment.payment_id, "charge.expired")
    assert news.state == payment_pb2.PAYMENT_STATE_CANCELLED
    assert (await capture(service, payment, 700)).state == payment_pb2.PAYMENT_STATE_CANCELLED


async def test_a_dispute_is_shown_listed_and_news(mesh: Mesh) -> None:
    service, world, sink = mesh
    payment = await charge(service, payment_method="pm_card_createDispute")
    assert payment.state == payment_pb2.PAYMENT_STATE_SUCCEEDED

    news = await told(service, sink, payment.payment_id, "charge.dispute.created")

    (dispute,) = news.disputes
    assert (dispute.state, dispute.amount) == (payment_pb2.DISPUTE_STATE_NEEDS_RESPONSE, euros(1099))
    assert (dispute.reason, dispute.HasField("evidence_due_time")) == ("fraudulent", True)
    assert (news.captured, news.refunded) == (euros(1099), euros(0))
    request = payment_service_pb2.ListPaymentsRequest(disputed=True)
    assert list((await service.stub.ListPayments(request, timeout=5)).payments) == [news]
    await post(world, f"/_sandbox/payment_intents/{payment.provider_payment_id}/dispute", json={"status": "won"})
    confirm = payment_service_pb2.ConfirmPaymentRequest(request_id="c1", payment_id=payment.payment_id)
    (won,) = (await service.stub.ConfirmPayment(confirm, timeout=5)).payment.disputes
    assert won.state == payment_pb2.DISPUTE_STATE_WON


async def test_a_refund_in_the_dashboard_is_in_our_ledger_and_news(mesh: Mesh) -> None:
    service, world, sink = mesh
    payment = await charge(service)

    made = await post(world, "/v1/refunds", data={"payment_intent": payment.provider_payment_id, "amount": "400"})

    news = await told(service, sink, payment.payment_id, "refund.created")
    (refund,) = news.refunds
    assert (refund.provider_refund_id, refund.request_id, news.refunded) == (made["id"], "", euros(400))


async def test_a_saved_card_is_charged_without_its_customer(mesh: Mesh) -> None:
    service, world, _ = mesh
    customer = (await post(world, "/v1/customers", data={"name": "Ada"}))["id"]
    first = await charge(service, provider_customer_id=customer, save_payment_method=True)
    assert (first.state, first.provider_customer_id) == (payment_pb2.PAYMENT_STATE_SUCCEEDED, customer)
    intent = (
        await world.http.get(f"/stripe/v1/payment_intents/{first.provider_payment_id}", headers=STRIPE_KEY)
    ).json()

    again = await charge(
        service,
        "r2",
        order_id=ORDER.replace("1", "2"),
        payment_method=intent["payment_method"],
        provider_customer_id=customer,
        off_session=True,
    )

    assert again.state == payment_pb2.PAYMENT_STATE_SUCCEEDED


async def test_a_customer_who_is_not_there_is_declined_and_may_come_and_pay(mesh: Mesh) -> None:
    service, world, _ = mesh
    customer = (await post(world, "/v1/customers", data={"name": "Ada"}))["id"]
    declined = await charge(
        service, payment_method="pm_card_authenticationRequired", provider_customer_id=customer, off_session=True
    )
    assert declined.state == payment_pb2.PAYMENT_STATE_DECLINED
    assert declined.decline.decline_code == "authentication_required"

    waiting = await charge(
        service, "r2", payment_method="pm_card_authenticationRequired", provider_customer_id=customer
    )
    assert waiting.state == payment_pb2.PAYMENT_STATE_ACTION_REQUIRED
    assert waiting.provider_payment_id == declined.provider_payment_id
    await post(world, f"/_sandbox/payment_intents/{waiting.provider_payment_id}/authenticate", json={"outcome": "fail"})
    confirm = payment_service_pb2.ConfirmPaymentRequest(request_id="c1", payment_id=waiting.payment_id)
    failed = (await service.stub.ConfirmPayment(confirm, timeout=5)).payment
    assert failed.decline.code == "payment_intent_authentication_failure"

    paid = await charge(service, "r3", provider_customer_id=customer)

    assert (paid.state, paid.version > failed.version) == (payment_pb2.PAYMENT_STATE_SUCCEEDED, True)


async def test_an_order_that_was_given_up_before_it_was_charged_is_never_charged(mesh: Mesh) -> None:
    service, world, _ = mesh
    request = payment_service_pb2.CancelPaymentRequest(request_id="x1", order_id=ORDER, amount=euros(1099))

    given_up = (await service.stub.CancelPayment(request, timeout=5)).payment

    assert (given_up.state, given_up.provider_payment_id) == (payment_pb2.PAYMENT_STATE_CANCELLED, "")
    assert (await refused(charge(service))).reason is Reason.ILLEGAL_STATE
    assert not (await world.ledger()).get("payment_intents")
