"""The payment service as others meet it: over gRPC, on its own database, before a running sandbox."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc
from ordermesh.type.v1 import money_pb2
from stripe import WebhookSignature

from chassis.errors import refusal_of
from chassis.telemetry.setup import SPANS_FILE, start_telemetry
from chassis.telemetry.store import SpanStore
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from payment_svc.__main__ import running
from payment_svc.config import PaymentConfig
from tests.fakes.sandbox_world import STRIPE_KEY, World, sandbox_world
from tests.fakes.webhook_sink import WebhookSink, webhook_sink

_ORDER = "0199a0b0-0000-7000-8000-000000000001"
_NOBODY = "0199a0b0-0000-7000-8000-00000000ffff"
_SECRET = "whsec_test"

_SUCCEEDED = payment_pb2.PAYMENT_STATE_SUCCEEDED


@dataclass(frozen=True, slots=True)
class Service:
    """A running payment service, by its stub."""

    stub: "payment_service_pb2_grpc.PaymentServiceAsyncStub"

    async def charge(
        self,
        method: str = "pm_card_visa",
        minor_units: int = 1099,
        request_id: str = "r1",
        order_id: str = _ORDER,
        seconds: float = 10.0,
    ) -> payment_pb2.Payment:
        request = payment_service_pb2.ChargePaymentRequest(
            request_id=request_id, order_id=order_id, amount=euros(minor_units), payment_method=method
        )
        return (await self.stub.ChargePayment(request, timeout=seconds)).payment

    async def get(self, payment_id: str) -> payment_pb2.Payment:
        request = payment_service_pb2.GetPaymentRequest(payment_id=payment_id)
        return (await self.stub.GetPayment(request, timeout=5)).payment

    async def refund(
        self, payment_id: str, minor_units: int | None, request_id: str
    ) -> payment_service_pb2.RefundPaymentResponse:
        request = payment_service_pb2.RefundPaymentRequest(request_id=request_id, payment_id=payment_id)
        if minor_units is not None:
            request.amount.CopyFrom(euros(minor_units))
        return await self.stub.RefundPayment(request, timeout=10)

    async def ingest(self, payload: bytes, signature: str) -> payment_service_pb2.IngestStripeEventResponse:
        request = payment_service_pb2.IngestStripeEventRequest(payload=payload, signature=signature)
        return await self.stub.IngestStripeEvent(request, timeout=5)

    async def until(self, payment_id: str, is_so: Callable[[payment_pb2.Payment], bool]) -> payment_pb2.Payment:
        """Return the payment once it is so; what happens in the background can only be asked for."""
        while True:
            payment = await self.get(payment_id)
            if is_so(payment):
                return payment
            await asyncio.sleep(0.02)


def euros(minor_units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="EUR", minor_units=minor_units)


@asynccontextmanager
async def service(data_dir: Path, world: World, **settings: str) -> AsyncIterator[Service]:
    """Run the service for as long as the context is open; started again, it finds what it left."""
    environment = {
        "ORDERMESH_DATA_DIR": str(data_dir),
        "PAYMENT_ADDR": "127.0.0.1:0",
        "STRIPE_API_BASE": f"{world.url}/stripe",
        "STRIPE_API_KEY": "sk_test_1",
        "STRIPE_WEBHOOK_SECRET": f"whsec_rolled,{_SECRET}",
        "PAYMENT_RESUME_SECONDS": "0.05",
        **settings,
    }
    telemetry = start_telemetry("payment", data_dir, None)
    try:
        async with (
            running(PaymentConfig.from_env(environment), telemetry) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield Service(payment_service_pb2_grpc.PaymentServiceStub(channel))
    finally:
        telemetry.shutdown()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sandbox_world(tmp_path / "sandbox") as running_world:
        yield running_world


@pytest.fixture
async def payments(tmp_path: Path, world: World) -> AsyncIterator[Service]:
    async with service(tmp_path, world) as running_service:
        yield running_service


async def refused(call: Awaitable[object]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    refusal = refusal_of(error.value)
    assert refusal is not None, error.value
    return refusal


async def test_a_payment_is_made_read_and_listed(payments: Service, world: World) -> None:
    payment = await payments.charge()

    assert payment.state == _SUCCEEDED
    assert payment.captured == payment.amount == euros(1099)
    assert await payments.get(payment.payment_id) == payment
    ledger = await world.ledger(_ORDER)
    (charge,) = ledger["charges"]
    assert (charge["payment_intent"], charge["amount"]) == (payment.provider_payment_id, 1099)
    assert charge["metadata"] == {"order_id": _ORDER, "payment_id": payment.payment_id}


async def test_payments_are_listed_newest_first_page_by_page(payments: Service) -> None:
    orders = [f"{_ORDER[:-1]}{number}" for number in range(1, 6)]
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


async def test_the_same_answer_comes_after_a_restart_and_nothing_is_charged_again(tmp_path: Path, world: World) -> None:
    async with service(tmp_path, world) as before:
        first = await before.charge()
    async with service(tmp_path, world) as after:
        again = await after.charge()
        other = await refused(after.charge(minor_units=1100))

    assert again == first
    assert other.reason is Reason.REQUEST_ID_REUSED
    assert len((await world.ledger())["charges"]) == 1


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


async def test_while_stripe_is_away_the_charge_is_open_and_afterwards_made_once(
    payments: Service, world: World
) -> None:
    await world.fault("stripe", mode="outage")
    refusal = await refused(payments.charge())
    assert refusal.reason is Reason.UNAVAILABLE
    assert refusal.retry_after is not None

    await world.http.delete("/faults")

    assert (await payments.charge()).state == _SUCCEEDED
    assert len((await world.ledger())["charges"]) == 1


@pytest.mark.parametrize("mode", ["lost_answer", "late_execution"])
async def test_a_charge_whose_answer_is_lost_is_found_and_not_repeated(
    payments: Service, world: World, mode: str
) -> None:
    await world.fault("stripe", mode=mode, operation="payment_intents.confirm", times=1)

    assert (await payments.charge()).state == _SUCCEEDED
    assert len((await world.ledger())["charges"]) == 1


async def test_a_slow_bank_is_given_up_in_time_to_say_so(payments: Service, world: World) -> None:
    await world.fault("stripe", mode="latency", operation="payment_intents.confirm", times=1, latency_ms=4_000)
    refusal = await refused(payments.charge(seconds=3.0))
    assert refusal.reason is Reason.UNAVAILABLE

    answers = 0
    while True:  # as the caller does, until it is answered
        try:
            payment = await payments.charge()
            break
        except grpc.aio.AioRpcError:
            answers += 1
    assert payment.state == _SUCCEEDED
    assert len((await world.ledger())["charges"]) == 1


async def test_a_refund_left_open_by_a_crash_is_made_after_the_next_start(tmp_path: Path, world: World) -> None:
    async with service(tmp_path, world, PAYMENT_SETTLE_SECONDS="0.2") as before:
        payment = await before.charge()
        await world.fault("stripe", mode="outage", operation="refunds.create")
        pending = await before.refund(payment.payment_id, 400, "f1")
    assert pending.refund.state == payment_pb2.REFUND_STATE_PENDING
    await world.http.delete("/faults")

    async with service(tmp_path, world, PAYMENT_SETTLE_SECONDS="0.2") as after:
        await after.until(payment.payment_id, lambda now: now.refunds[0].state == payment_pb2.REFUND_STATE_SUCCEEDED)

    assert [refund["amount"] for refund in (await world.ledger())["refunds"]] == [400]


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
            request_id="r1", order_id=_ORDER, amount=euros(1099), payment_method="pm_card_authenticationRequired"
        )
        metadata = (("traceparent", f"00-{trace_id}-b7ad6b7169203331-01"),)
        waiting = (await payments.stub.ChargePayment(request, timeout=10, metadata=metadata)).payment
        await authenticate(world, waiting)
        await payments.until(waiting.payment_id, lambda now: now.state == _SUCCEEDED)

    spans = SpanStore(tmp_path / SPANS_FILE)
    during, afterwards = spans.trace(trace_id), spans.linked([trace_id])
    spans.close()
    names = {span.name for span in during}
    assert names == {
        "ordermesh.payment.v1.PaymentService/ChargePayment",
        "POST create_payment_intent",
        "POST confirm_payment_intent",
    }
    assert {span.name for span in afterwards} >= {"resume_payment"}


async def authenticate(world: World, payment: payment_pb2.Payment) -> None:
    path = f"/stripe/_sandbox/payment_intents/{payment.provider_payment_id}/authenticate"
    answer: httpx.Response = await world.http.post(path, json={"outcome": "succeed"}, headers=STRIPE_KEY)
    answer.raise_for_status()


async def _event(sink: WebhookSink, kind: str) -> tuple[bytes, str]:
    """Wait for a webhook of a kind, and return its body and signature."""
    while True:
        delivery = await sink.next()
        if f'"type":"{kind}"'.encode() in delivery.body.replace(b" ", b""):
            return delivery.body, delivery.headers["stripe-signature"]


async def test_a_webhook_settles_what_it_is_about_and_twice_is_harmless(tmp_path: Path) -> None:
    async with (
        webhook_sink() as (sink, url),
        sandbox_world(tmp_path / "sandbox", stripe_webhook_url=url) as world,
        service(tmp_path, world) as payments,
    ):
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

    for secret, timestamp in (("whsec_guessed", now), (_SECRET, now - 400), (_SECRET, now + 400)):
        header = WebhookSignature.generate_signature_header(payload, secret, timestamp)
        refusal = await refused(payments.ingest(payload.encode(), header))
        assert refusal.reason is Reason.SIGNATURE_INVALID

    # A genuine signature on a body that lies: it is kept, and what it says is not believed.
    header = WebhookSignature.generate_signature_header(payload, _SECRET, now)
    assert not (await payments.ingest(payload.encode(), header)).duplicate
    assert await payments.get(waiting.payment_id) == waiting


async def test_what_is_not_built_yet_says_so(payments: Service) -> None:
    request = payment_service_pb2.CapturePaymentRequest(request_id="k1", payment_id=_NOBODY)

    refusal = await refused(payments.stub.CapturePayment(request, timeout=5))

    assert refusal.reason is Reason.NOT_IMPLEMENTED


async def test_what_does_not_exist_is_not_found(payments: Service) -> None:
    refusal = await refused(payments.get(_NOBODY))

    assert (refusal.reason, refusal.metadata) == (Reason.PAYMENT_NOT_FOUND, {"paymentId": _NOBODY})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"order_id": "no-uuid"}, "order_id"),
        ({"method": "card 4242 4242 4242 4242"}, "payment_method"),
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
    assert refusal.metadata == {"orderId": _ORDER}
    assert [violation.field for violation in refusal.fields] == ["payment_method"]
