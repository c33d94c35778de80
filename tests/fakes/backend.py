"""The services behind the gateway as one small grpc server: it records what it is asked and answers as told."""

# ruff: noqa: ANN401  (the classes are made at run time; their messages are of any type)
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc
from ordermesh.type.v1 import money_pb2

from chassis.errors import to_grpc_status
from chassis.serving.validation import ValidationLayer
from kernel.errors import Refusal

ORDER_ID = "01980000-0000-7000-8000-000000000001"
Answer = Message | Refusal | grpc.StatusCode


def an_order(**fields: Any) -> order_pb2.Order:
    """Return an order that is paid."""
    values: dict[str, Any] = {
        "order_id": ORDER_ID,
        "state": order_pb2.ORDER_STATE_PAID,
        "subtotal": {"currency_code": "EUR", "minor_units": 2198},
        "total": {"currency_code": "EUR", "minor_units": 2616},
        "create_time": {"seconds": 1_800_000_000, "nanos": 123_000_000},
    }
    return order_pb2.Order(**{**values, **fields})


@dataclass
class Call:
    """One call that came in."""

    method: str
    request: Any
    metadata: dict[str, str]
    seconds_left: float


@dataclass
class Backend:
    """The server's memory.

    Attributes:
        calls: Every call, in order.
        answers: What each method answers, by its short name; sensible defaults for all others.
        stream: The messages of WatchOrder; None ends the stream, a refusal fails it.
        cancelled: Set when a client gave up a stream.
        validation: Refuses what the contract's rules refuse; None takes everything.
        endless_streams: Whether WatchOrder sends what is in `stream`; otherwise it sends one order and ends.
    """

    calls: list[Call] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    stream: asyncio.Queue[order_service_pb2.WatchOrderResponse | Refusal | None] = field(default_factory=asyncio.Queue)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    validation: ValidationLayer | None = None
    endless_streams: bool = True
    address: str = ""
    health: Any = None

    async def answer(self, method: str, request: Message, context: Any, default: Message) -> Any:
        """Record the call and answer it."""
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        self.calls.append(Call(method, request, metadata, context.time_remaining() or 0.0))
        answer = self.answers.get(method, default)
        if self.validation is not None:
            try:
                self.validation.check(request)
            except Refusal as refusal:
                answer = refusal
        if isinstance(answer, Refusal):
            await context.abort_with_status(to_grpc_status(answer))
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "secret words of a service")
        return answer

    @property
    def last(self) -> Call:
        """Return the latest call."""
        return self.calls[-1]


def _unary(name: str, make: Callable[[], Message]) -> Any:
    async def handler(self: Any, request: Any, context: Any) -> Any:
        return await self.backend.answer(name, request, context, make())

    return handler


def _servicer(base: type, defaults: dict[str, Callable[[], Message]], **more: Any) -> Any:
    return type(f"Fake{base.__name__}", (base,), {name: _unary(name, make) for name, make in defaults.items()} | more)


async def _watch(self: Any, request: Any, context: Any) -> AsyncIterator[Any]:
    backend: Backend = self.backend
    await backend.answer("WatchOrder", request, context, order_pb2.Order())
    if not backend.endless_streams:
        yield _s.WatchOrderResponse(order=an_order())
        return
    # Of this test, whatever comes: a stream that a test before left open must not take messages of the next.
    messages = backend.stream
    try:
        while (item := await messages.get()) is not None:
            if isinstance(item, Refusal):
                await context.abort_with_status(to_grpc_status(item))
            yield item
    except asyncio.CancelledError:
        backend.cancelled.set()
        raise


_s, _p, _n = order_service_pb2, payment_service_pb2, notify_service_pb2
_Order = _servicer(
    order_service_pb2_grpc.OrderServiceServicer,
    {
        "QuoteOrder": lambda: _s.QuoteOrderResponse(total=money_pb2.Money(currency_code="EUR", minor_units=1)),
        "PlaceOrder": lambda: _s.PlaceOrderResponse(order=an_order()),
        "GetOrder": lambda: _s.GetOrderResponse(order=an_order()),
        "ListOrders": lambda: _s.ListOrdersResponse(orders=[an_order()], next_page_token="next"),
        "ExplainOrder": lambda: _s.ExplainOrderResponse(order=an_order()),
        "ConfirmOrderPayment": lambda: _s.ConfirmOrderPaymentResponse(order=an_order()),
        "CancelOrder": lambda: _s.CancelOrderResponse(order=an_order()),
        "RefundOrder": lambda: _s.RefundOrderResponse(order=an_order()),
        "StartProcessing": lambda: _s.StartProcessingResponse(order=an_order()),
        "ShipOrder": lambda: _s.ShipOrderResponse(order=an_order()),
        "DeliverOrder": lambda: _s.DeliverOrderResponse(order=an_order()),
        "RetryOrder": lambda: _s.RetryOrderResponse(order=an_order()),
    },
    WatchOrder=_watch,
)
_Payment = _servicer(
    payment_service_pb2_grpc.PaymentServiceServicer,
    {
        "GetPayment": lambda: _p.GetPaymentResponse(payment=payment_pb2.Payment(payment_id=ORDER_ID)),
        "ListPayments": _p.ListPaymentsResponse,
        "IngestStripeEvent": lambda: _p.IngestStripeEventResponse(event_id="evt_1"),
    },
)
_Notify = _servicer(
    notify_service_pb2_grpc.NotifyServiceServicer,
    {
        "GetNotification": _n.GetNotificationResponse,
        "ListNotifications": _n.ListNotificationsResponse,
        "IngestSendgridEvents": lambda: _n.IngestSendgridEventsResponse(accepted=1),
    },
)


_Tax = _servicer(
    tax_service_pb2_grpc.TaxServiceServicer,
    {
        "QuoteTax": tax_service_pb2.QuoteTaxResponse,
        "CommitTax": tax_service_pb2.CommitTaxResponse,
        "RefundTax": tax_service_pb2.RefundTaxResponse,
        "VoidTax": tax_service_pb2.VoidTaxResponse,
    },
)


@asynccontextmanager
async def running_backend(address: str = "127.0.0.1:0") -> AsyncIterator[Backend]:
    """Serve all four services on one port, a free one unless told otherwise."""
    backend = Backend()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    for servicer, register in (
        (_Order(), order_service_pb2_grpc.add_OrderServiceServicer_to_server),
        (_Payment(), payment_service_pb2_grpc.add_PaymentServiceServicer_to_server),
        (_Notify(), notify_service_pb2_grpc.add_NotifyServiceServicer_to_server),
        (_Tax(), tax_service_pb2_grpc.add_TaxServiceServicer_to_server),
    ):
        servicer.backend = backend
        register(servicer, server)
    backend.health = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(backend.health, server)
    await backend.health.set("", health_pb2.HealthCheckResponse.SERVING)
    backend.address = f"127.0.0.1:{server.add_insecure_port(address)}"
    await server.start()
    try:
        yield backend
    finally:
        await server.stop(None)
