"""OrderService on the chassis' own server, with handlers that a test writes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

from chassis.access.settings import AccessSettings
from chassis.admission import Admission
from chassis.channel import Channel, Pressure
from chassis.server import Option, Server
from chassis.standard import standard_chain
from chassis.telemetry.metrics import Metrics
from chassis.trust.transport import Connect, Transport, plaintext
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids
from tests.fakes.order_samples import ORDER_ID
from tests.fakes.telemetry_sink import RecordingSink, recording_tracer

SERVICE = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]

Found = order_service_pb2.GetOrderResponse
Seen = order_service_pb2.WatchOrderResponse
Get = Callable[[], Awaitable[Found]]
Watch = Callable[[], AsyncIterator[Seen]]

GET = order_service_pb2.GetOrderRequest(order_id=ORDER_ID)
WATCH = order_service_pb2.WatchOrderRequest(order_id=ORDER_ID)
FOUND = Found(order=order_pb2.Order(order_id=ORDER_ID))

# Abstract in its stubs alone.
_Base: Any = order_service_pb2_grpc.OrderServiceServicer


async def find() -> Found:
    """Answer at once."""
    return FOUND


async def tick_for_ever() -> AsyncIterator[Seen]:
    """Answer once, and then listen for ever."""
    yield Seen()
    await asyncio.Event().wait()


class Scripted(_Base):  # type: ignore[misc]  # see above
    """The servicer.

    Attributes:
        get: What GetOrder does.
        watch: What WatchOrder does.
        calls: How many calls reached a handler.
    """

    def __init__(self, get: Get = find, watch: Watch = tick_for_ever) -> None:
        self.get = get
        self.watch = watch
        self.calls = 0

    async def GetOrder(  # noqa: N802  (the RPC's name)
        self, request: order_service_pb2.GetOrderRequest, context: object
    ) -> Found:
        self.calls += 1
        return await self.get()

    async def WatchOrder(  # noqa: N802  (the RPC's name)
        self, request: order_service_pb2.WatchOrderRequest, context: object
    ) -> AsyncIterator[Seen]:
        self.calls += 1
        async for answer in self.watch():
            yield answer

    async def PlaceOrder(  # noqa: N802  (the RPC's name)
        self, request: order_service_pb2.PlaceOrderRequest, context: object
    ) -> order_service_pb2.PlaceOrderResponse:
        self.calls += 1
        return order_service_pb2.PlaceOrderResponse()


@dataclass
class Running:
    """A server and what it recorded."""

    address: str
    server: Server
    servicer: Scripted
    spans: RecordingSink
    metrics: Metrics
    stopped: bool = field(default=False)

    async def stop(self) -> None:
        """Stop the server as a process does on SIGTERM."""
        if not self.stopped:
            self.stopped = True
            await self.server.stop()

    def channel(self) -> grpc.aio.Channel:
        """Return a bare channel to it."""
        return grpc.aio.insecure_channel(self.address)


@asynccontextmanager
async def scripted(
    get: Get = find,
    watch: Watch = tick_for_ever,
    *,
    address: str = "127.0.0.1:0",
    ready: bool = True,
    with_reflection: bool = True,
    transport: Transport | None = None,
    options: Sequence[Option] = (),
    admission: Admission | None = None,
) -> AsyncIterator[Running]:
    """Serve the script."""
    tracer, spans = recording_tracer()
    metrics = Metrics("order")
    servicer = Scripted(get, watch)
    transport = transport or Transport()
    access = AccessSettings(grants={"shop": frozenset({"orders.read"})})
    chain = standard_chain(
        tracer, metrics, Uuid7Ids(SystemClock()), transport.service_of, access=access, admission=admission
    )
    server = Server(chain, transport, with_reflection=with_reflection, options=options)
    server.add(order_service_pb2_grpc.add_OrderServiceServicer_to_server, servicer)
    running = Running(await server.start(address), server, servicer, spans, metrics)
    if ready:
        await server.serving(ready=True)
    try:
        yield running
    finally:
        # Nobody has to be told: tests that care about the drain stop the server themselves.
        if not running.stopped:
            await server.stop(drain_seconds=0.0)


@asynccontextmanager
async def chassis_channel(
    target: str, connect: Connect = plaintext, pressure: Pressure | None = None
) -> AsyncIterator[tuple[Channel, RecordingSink]]:
    """Open the channel that our services use, and return it with its spans."""
    tracer, spans = recording_tracer("client")
    channel = Channel(
        target, services=[SERVICE], tracer=tracer, metrics=Metrics("client"), connect=connect, pressure=pressure
    )
    try:
        yield channel, spans
    finally:
        await channel.close()


def stub(channel: grpc.aio.Channel | Channel) -> "order_service_pb2_grpc.OrderServiceAsyncStub":
    """Return a stub on either kind of channel."""
    return order_service_pb2_grpc.OrderServiceStub(channel.for_stub if isinstance(channel, Channel) else channel)
