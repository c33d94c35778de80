"""News of payments over gRPC, from webhooks of a running sandbox."""

import asyncio
from pathlib import Path

from ordermesh.payment.v1 import payment_pb2, payment_service_pb2

from kernel.errors import Reason
from tests.fakes.payment_over_grpc import Service, authenticate, euros, service_with_webhooks
from tests.fakes.service_over_grpc import refused
from tests.fakes.webhook_sink import WebhookSink

_NOBODY = "0199a0b0-0000-7000-8000-00000000ffff"


async def page(
    payments: Service, page_size: int = 0, page_token: str = ""
) -> payment_service_pb2.ListPaymentNewsResponse:
    request = payment_service_pb2.ListPaymentNewsRequest(page_size=page_size, page_token=page_token)
    answer: payment_service_pb2.ListPaymentNewsResponse = await payments.stub.ListPaymentNews(request, timeout=5)
    return answer


async def news(payments: Service) -> list[payment_pb2.Payment]:
    return list((await page(payments)).payments)


async def first_news(payments: Service) -> payment_pb2.Payment:
    """Return what is news once something is; what happens in the background can only be asked for."""
    while not (listed := await news(payments)):  # noqa: ASYNC110  (another server has no event to wait for)
        await asyncio.sleep(0.02)
    (payment,) = listed
    return payment


async def acknowledge(payments: Service, payment: payment_pb2.Payment, version: int) -> None:
    request = payment_service_pb2.AcknowledgePaymentNewsRequest(
        request_id="a1", payment_id=payment.payment_id, version=version
    )
    assert await payments.stub.AcknowledgePaymentNews(request, timeout=5) is not None


async def forward(sink: WebhookSink, payments: Service, until: str) -> None:
    """Hand webhooks on as the gateway does, until one of a kind has been."""
    while True:
        delivery = await sink.next()
        await payments.ingest(delivery.body, delivery.headers["stripe-signature"])
        if f'"type":"{until}"'.encode() in delivery.body.replace(b" ", b""):
            return


async def test_money_and_its_return_are_news_until_they_are_acknowledged(tmp_path: Path) -> None:
    async with service_with_webhooks(tmp_path) as (payments, world, sink):
        waiting = await payments.charge("pm_card_authenticationRequired")
        await authenticate(world, waiting)
        await forward(sink, payments, "payment_intent.succeeded")

        paid = await first_news(payments)
        assert paid == await payments.get(waiting.payment_id)
        assert (paid.state, paid.version) == (payment_pb2.PAYMENT_STATE_SUCCEEDED, waiting.version + 1)
        await acknowledge(payments, paid, waiting.version)
        full = await page(payments, page_size=1)
        assert list(full.payments) == [paid]
        assert full.next_page_token
        assert not (await page(payments, page_token=full.next_page_token)).payments

        await acknowledge(payments, paid, paid.version)
        await acknowledge(payments, paid, paid.version)
        assert await news(payments) == []


async def test_a_refund_that_fails_after_it_succeeded_is_news(tmp_path: Path) -> None:
    async with service_with_webhooks(tmp_path) as (payments, _, sink):
        payment = await payments.charge("pm_card_refundFail")
        refunded = await payments.refund(payment.payment_id, 400, "f1")
        assert refunded.refund.state == payment_pb2.REFUND_STATE_SUCCEEDED
        await forward(sink, payments, "refund.failed")

        told = await first_news(payments)

        assert [refund.state for refund in told.refunds] == [payment_pb2.REFUND_STATE_FAILED]
        assert told.refunded == euros(0)


async def test_news_of_a_payment_that_is_not_there_cannot_be_acknowledged(payments: Service) -> None:
    nobody = payment_pb2.Payment(payment_id=_NOBODY)

    refusal = await refused(acknowledge(payments, nobody, 1))

    assert refusal.reason is Reason.PAYMENT_NOT_FOUND
