"""A running payment service by its stub, on its own database, before a running sandbox."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc
from ordermesh.type.v1 import money_pb2

from payment_svc.__main__ import running
from payment_svc.config import PaymentConfig
from tests.fakes.sandbox_world import STRIPE_KEY, World, sandbox_world
from tests.fakes.service_over_grpc import called
from tests.fakes.webhook_sink import WebhookSink, webhook_sink

ORDER = "0199a0b0-0000-7000-8000-000000000001"
SECRET = "whsec_test"


@dataclass(frozen=True, slots=True)
class Service:
    """A running payment service, by its stub."""

    stub: "payment_service_pb2_grpc.PaymentServiceAsyncStub"

    async def charge(
        self,
        method: str = "pm_card_visa",
        minor_units: int = 1099,
        request_id: str = "r1",
        order_id: str = ORDER,
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
        "STRIPE_WEBHOOK_SECRET": f"whsec_rolled,{SECRET}",
        "PAYMENT_RESUME_SECONDS": "0.05",
        **settings,
    }
    config = PaymentConfig.from_env(environment)
    async with called("payment", data_dir, partial(running, config)) as channel:
        yield Service(payment_service_pb2_grpc.PaymentServiceStub(channel))


@asynccontextmanager
async def service_with_webhooks(data_dir: Path) -> AsyncIterator[tuple[Service, World, WebhookSink]]:
    """Run the service before a sandbox whose webhooks arrive at a sink, for as long as the context is open."""
    async with (
        webhook_sink() as (sink, url),
        sandbox_world(data_dir / "sandbox", stripe_webhook_url=url) as world,
        service(data_dir, world) as payments,
    ):
        yield payments, world, sink


async def authenticate(world: World, payment: payment_pb2.Payment) -> None:
    path = f"/stripe/_sandbox/payment_intents/{payment.provider_payment_id}/authenticate"
    answer: httpx.Response = await world.http.post(path, json={"outcome": "succeed"}, headers=STRIPE_KEY)
    answer.raise_for_status()
