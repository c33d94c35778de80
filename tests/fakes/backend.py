"""The services behind the gateway as one small grpc server: it records what it is asked and answers as told."""

# ruff: noqa: ANN401  (the classes are made at run time; their messages are of any type)
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc
from ordermesh.type.v1 import money_pb2
from ordermesh.webhook.v1 import webhook_service_pb2, webhook_service_pb2_grpc

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


def _unary(method: MethodDescriptor) -> Any:
    answer_class: Any = message_factory.GetMessageClass(method.output_type)
    # A command on an order answers with the order; what else there is answers with nothing, unless it is named below.
    default = answer_class(order=an_order()) if "order" in method.output_type.fields_by_name else answer_class()
    default = _ANSWERS.get(method.name, default)

    async def handler(self: Any, request: Any, context: Any) -> Any:
        return await self.backend.answer(method.name, request, context, default)

    return handler


def _servicer(base: type, service: ServiceDescriptor) -> Any:
    """Return a servicer that has every RPC of the contract."""
    handlers = {each.name: _watch if each.server_streaming else _unary(each) for each in service.methods}
    return type(f"Fake{base.__name__}", (base,), handlers)()


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


_s = order_service_pb2
_ANSWERS: dict[str, Message] = {
    "QuoteOrder": _s.QuoteOrderResponse(total=money_pb2.Money(currency_code="EUR", minor_units=1)),
    "ListOrders": _s.ListOrdersResponse(orders=[an_order()], next_page_token="next"),
    "GetPayment": payment_service_pb2.GetPaymentResponse(payment=payment_pb2.Payment(payment_id=ORDER_ID)),
    "IngestStripeEvent": payment_service_pb2.IngestStripeEventResponse(event_id="evt_1"),
    "IngestSendgridEvents": notify_service_pb2.IngestSendgridEventsResponse(accepted=1),
}
_SERVICES: Sequence[tuple[Any, Any]] = (
    (order_service_pb2, order_service_pb2_grpc),
    (webhook_service_pb2, webhook_service_pb2_grpc),
    (payment_service_pb2, payment_service_pb2_grpc),
    (notify_service_pb2, notify_service_pb2_grpc),
    (tax_service_pb2, tax_service_pb2_grpc),
)


@asynccontextmanager
async def running_backend(address: str = "127.0.0.1:0") -> AsyncIterator[Backend]:
    """Serve all services on one port, a free one unless told otherwise."""
    backend = Backend()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    for messages, stubs in _SERVICES:
        for name, service in messages.DESCRIPTOR.services_by_name.items():
            servicer = _servicer(getattr(stubs, f"{name}Servicer"), service)
            servicer.backend = backend
            getattr(stubs, f"add_{name}Servicer_to_server")(servicer, server)
    backend.health = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(backend.health, server)
    await backend.health.set("", health_pb2.HealthCheckResponse.SERVING)
    backend.address = f"127.0.0.1:{server.add_insecure_port(address)}"
    await server.start()
    try:
        yield backend
    finally:
        await server.stop(None)
