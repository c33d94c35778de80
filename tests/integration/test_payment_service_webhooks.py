"""Webhooks and the worker of the payment service, as Stripe and others meet it."""

from pathlib import Path

from ordermesh.payment.v1 import payment_pb2, payment_service_pb2
from stripe import WebhookSignature

from chassis.telemetry.setup import SPANS_FILE
from chassis.telemetry.store import SpanStore
from kernel.clock import SystemClock
from kernel.errors import Reason
from tests.fakes.payment_over_grpc import ORDER, SECRET, Service, authenticate, euros, service, service_with_webhooks
from tests.fakes.sandbox_world import World
from tests.fakes.service_over_grpc import refused
from tests.fakes.webhook_sink import WebhookSink

_SUCCEEDED = payment_pb2.PAYMENT_STATE_SUCCEEDED


async def _event(sink: WebhookSink, kind: str) -> tuple[bytes, str]:
    """Wait for a webhook of a kind, and return its body and signature."""
    while True:
        delivery = await sink.next()
        if f'"type":"{kind}"'.encode() in delivery.body.replace(b" ", b""):
            return delivery.body, delivery.headers["stripe-signature"]


async def test_a_webhook_settles_what_it_is_about_and_twice_is_harmless(tmp_path: Path) -> None:
    async with service_with_webhooks(tmp_path) as (payments, world, sink):
        waiting = await payments.charge("pm_card_authenticationRequired")
        await authenticate(world, waiting)
        payload, signature = await _event(sink, "payment_intent.succeeded")

        taken = await payments.ingest(payload, signature)
        paid = await payments.until(waiting.payment_id, lambda now: now.state == _SUCCEEDED)
        again = await payments.ingest(payload, signature)

        assert taken.event_id == again.event_id
        assert (taken.duplicate, again.duplicate) == (False, True)
        assert await payments.get(waiting.payment_id) == paid


async def test_a_webhook_that_is_not_stripes_changes_nothing(payments: Service) -> None:
    waiting = await payments.charge("pm_card_authenticationRequired")
    payload = (
        '{"id":"evt_1","object":"event","type":"payment_intent.succeeded","livemode":false,'
        f'"data":{{"object":{{"id":"{waiting.provider_payment_id}","object":"payment_intent","status":"succeeded"}}}}}}'
    )
    now = int(SystemClock().now().timestamp())

    for secret, timestamp in (("whsec_guessed", now), (SECRET, now - 400), (SECRET, now + 400)):
        header = WebhookSignature.generate_signature_header(payload, secret, timestamp)
        refusal = await refused(payments.ingest(payload.encode(), header))
        assert refusal.reason is Reason.SIGNATURE_INVALID

    # A genuine signature on a body that lies: it is kept, and what it says is not believed.
    header = WebhookSignature.generate_signature_header(payload, SECRET, now)
    assert not (await payments.ingest(payload.encode(), header)).duplicate
    assert await payments.get(waiting.payment_id) == waiting


async def test_without_webhooks_the_worker_finds_what_the_customer_did(tmp_path: Path, world: World) -> None:
    async with service(tmp_path, world, PAYMENT_SETTLE_SECONDS="0.1") as payments:
        waiting = await payments.charge("pm_card_authenticationRequired")
        await authenticate(world, waiting)

        await payments.until(waiting.payment_id, lambda now: now.state == _SUCCEEDED)


async def test_what_happens_later_is_found_from_the_trace_of_the_call_that_began_it(
    tmp_path: Path, world: World
) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    async with service(tmp_path, world, PAYMENT_SETTLE_SECONDS="0.1") as payments:
        request = payment_service_pb2.ChargePaymentRequest(
            request_id="r1", order_id=ORDER, amount=euros(1099), payment_method="pm_card_authenticationRequired"
        )
        metadata = (("traceparent", f"00-{trace_id}-b7ad6b7169203331-01"),)
        waiting = (await payments.stub.ChargePayment(request, timeout=10, metadata=metadata)).payment
        await authenticate(world, waiting)
        await payments.until(waiting.payment_id, lambda now: now.state == _SUCCEEDED)

    spans = SpanStore(tmp_path / SPANS_FILE)
    during, afterwards = spans.trace(trace_id), spans.going_on_from([trace_id])
    spans.close()
    names = {span.name for span in during}
    assert names == {
        "ordermesh.payment.v1.PaymentService/ChargePayment",
        "POST create_payment_intent",
        "POST confirm_payment_intent",
    }
    assert {span.name for span in afterwards} >= {"resume_payment"}
