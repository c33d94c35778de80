"""A steady load of many kinds of calls, over gRPC with our channel and over REST; each answer is judged."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import grpc
import httpx
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

from bench.load import request
from chassis.channel import Channel
from chassis.telemetry.metrics import Metrics
from tests.fakes.telemetry_sink import recording_tracer
from tests.load.fleet import Fleet
from tests.load.rest import Balancer, balanced

_SERVICE = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]
_SETTLED_SECONDS = 60.0
_ASK_SECONDS = 0.02

# What an accepted order may be when its answer comes: its payment may be under way still, and goes on by itself.
_ACCEPTED = frozenset({order_pb2.ORDER_STATE_PAID, order_pb2.ORDER_STATE_PENDING})


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has ended.

    Attributes:
        kind: What was called.
        began: Monotonic seconds.
        ended: Likewise.
        failure: What went wrong; empty when it was answered as it should be.
    """

    kind: str
    began: float
    ended: float
    failure: str = ""

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return self.ended - self.began

    def __str__(self) -> str:
        """Return what a person needs who reads of a failure."""
        return f"{self.kind}: {self.failure or 'answered'} after {self.seconds:.2f} s"


@dataclass(slots=True)
class Seen:
    """What callers saw.

    Attributes:
        calls: All that have ended.
        pending: How many orders were accepted, and had not been paid yet when their call was answered.
        orders: The ids of all accepted orders.
    """

    calls: list[Call] = field(default_factory=list)
    pending: int = 0
    orders: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[Call]:
        """Return the calls that went wrong."""
        return [call for call in self.calls if call.failure]

    @property
    def longest(self) -> float:
        """Return the longest answer in seconds."""
        return max((call.seconds for call in self.calls), default=0.0)


class Callers:
    """Clients that place orders and read them back, one call after the other."""

    def __init__(self, channel: Channel, rest: Balancer, name: str) -> None:
        self._orders = order_service_pb2_grpc.OrderServiceStub(channel.for_stub)
        self.rest = rest
        self._name = name
        self._numbers = itertools.count()
        self.seen = Seen()

    async def work(self, pause_seconds: float) -> None:
        """Make call after call, for ever."""
        while True:
            order_id = await self._judged("gRPC PlaceOrder", self.place)
            if order_id:
                for kind, read in (
                    ("gRPC GetOrder", self.get),
                    ("gRPC ExplainOrder", self._explain),
                    ("REST get order", self._rest_get),
                    ("REST list payments", self.rest_payments),
                    ("REST list tax documents", self.rest_tax),
                    ("REST list notifications", self.rest_mails),
                ):
                    await self._judged(kind, partial(read, order_id))
                    await asyncio.sleep(pause_seconds)
            await self._judged("gRPC QuoteOrder", self._quote)
            await self._judged("REST place order", self._rest_place)
            await asyncio.sleep(pause_seconds)

    async def unpaid(self) -> list[str]:
        """Return which accepted orders are not paid, or are not there, once all are paid or have had the time."""
        left = list(dict.fromkeys(self.seen.orders))
        end = time.monotonic() + _SETTLED_SECONDS
        while left and time.monotonic() < end:
            states = [(order_id, await self._state(order_id)) for order_id in left]
            left = [order_id for order_id, state in states if state != order_pb2.ORDER_STATE_PAID]
            if left:
                await asyncio.sleep(1)
        return left

    async def _judged(self, kind: str, call: Callable[[], Awaitable[str]]) -> str:
        """Make a call and note how it went; returns what the call returned, nothing when it failed."""
        began = time.monotonic()
        answer, failure = "", ""
        try:
            answer = await call()
        except (grpc.aio.AioRpcError, httpx.HTTPError, AssertionError) as error:
            failure = _words(error)
        self.seen.calls.append(Call(kind, began, time.monotonic(), failure))
        return answer

    def _key(self) -> str:
        return f"{self._name}-{next(self._numbers)}"

    def _accept(self, order_id: str, state: str) -> str:
        self.seen.orders.append(order_id)
        self.seen.pending += state == "ORDER_STATE_PENDING"
        return order_id

    async def place(self, accepted: Container[int] = _ACCEPTED) -> str:
        """Place an order over gRPC and return its id.

        Raises:
            grpc.aio.AioRpcError: It was refused.
            AssertionError: It came back in another state than these.
        """
        order = (await self._orders.PlaceOrder(request(self._key()), timeout=15)).order
        assert order.state in accepted, f"an order came back {order.state}: {order.failure}"
        return self._accept(order.order_id, order_pb2.OrderState.Name(order.state))

    async def until_paid(self) -> float:
        """Place orders one after the other, and return when one was paid."""
        while True:
            try:
                await self.place({order_pb2.ORDER_STATE_PAID})
            except (grpc.aio.AioRpcError, AssertionError):
                await asyncio.sleep(_ASK_SECONDS)
            else:
                return time.monotonic()

    async def _quote(self) -> str:
        like = request("")
        asked = order_service_pb2.QuoteOrderRequest(customer=like.customer, items=like.items, ship_to=like.ship_to)
        await self._orders.QuoteOrder(asked, timeout=15)
        return ""

    async def get(self, order_id: str) -> str:
        """Read an order over gRPC."""
        await self._orders.GetOrder(order_service_pb2.GetOrderRequest(order_id=order_id), timeout=15)
        return ""

    async def _explain(self, order_id: str) -> str:
        await self._orders.ExplainOrder(order_service_pb2.ExplainOrderRequest(order_id=order_id), timeout=15)
        return ""

    async def _rest_place(self) -> str:
        like = request("")
        body = {
            "customer": {"customer_id": "load", "email": "load@shop.example", "name": "Load"},
            "items": [{"sku": "MUG-1", "quantity": 2, "unit_price": {"currency_code": "USD", "minor_units": "1250"}}],
            "ship_to": {
                "line1": like.ship_to.line1,
                "locality": like.ship_to.locality,
                "administrative_area": like.ship_to.administrative_area,
                "postal_code": like.ship_to.postal_code,
                "region_code": like.ship_to.region_code,
            },
            "payment_method": like.payment_method,
        }
        answer = await self.rest.request("POST", "/api/v1/orders", json=body, key=self._key())
        assert answer.status_code == httpx.codes.CREATED, f"{answer.status_code}: {answer.text[:200]}"
        return self._accept(answer.json()["order_id"], answer.json()["state"])

    async def _rest_get(self, order_id: str) -> str:
        return await self._read(f"/api/v1/orders/{order_id}")

    async def rest_payments(self, _order_id: str) -> str:
        """List payments over REST."""
        return await self._read("/api/v1/payments", page_size="1")

    async def rest_tax(self, _order_id: str) -> str:
        """List tax documents over REST."""
        return await self._read("/api/v1/taxDocuments", page_size="1")

    async def rest_mails(self, order_id: str) -> str:
        """List the mails of an order over REST."""
        return await self._read("/api/v1/notifications", order_id=order_id)

    async def _read(self, path: str, **params: str) -> str:
        answer = await self.rest.request("GET", path, params=params)
        assert answer.status_code == httpx.codes.OK, f"{path}: {answer.status_code}: {answer.text[:200]}"
        return ""

    async def _state(self, order_id: str) -> int:
        try:
            found = await self._orders.GetOrder(order_service_pb2.GetOrderRequest(order_id=order_id), timeout=15)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return order_pb2.ORDER_STATE_UNSPECIFIED
            raise
        return found.order.state


@asynccontextmanager
async def calling(fleet: Fleet, name: str, *, workers: int, pause_seconds: float) -> AsyncIterator[Callers]:
    """Have clients call while the context is open."""
    async with our_channel(fleet.target("order")) as channel, balanced(fleet.addresses("gateway")) as rest:
        callers = Callers(channel, rest, name)
        working = [asyncio.create_task(callers.work(pause_seconds)) for _ in range(workers)]
        try:
            yield callers
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)


@asynccontextmanager
async def our_channel(target: str) -> AsyncIterator[Channel]:
    """Open a channel to the order service with the options that all clients of the mesh have."""
    tracer, _ = recording_tracer("load")
    channel = Channel(target, services=[_SERVICE], tracer=tracer, metrics=Metrics("load"))
    try:
        yield channel
    finally:
        await channel.close()


def _words(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name} {error.details()}"
    return f"{type(error).__name__} {error}"
