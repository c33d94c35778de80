"""OrderService as the command calls it: in and out go the documents of the REST API, errors come as refusals."""

import chassis.process  # isort: skip  (settings that grpc reads when it is imported)

from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from random import SystemRandom
from typing import Any, TypeVar

import grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2 as pb

from chassis.channel import Channel
from chassis.errors import refusal_of
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Span, Tracer
from gateway import wrong
from gateway.read_json import MessageReaders
from gateway.write_json import MessageWriters
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal

T = TypeVar("T")
Json = dict[str, Any]

# An order is answered within 10 s; so much more for a machine that is busy.
_CALL_SECONDS = 15.0

_LARGEST_PAGE = 200


class _Nowhere:
    """Takes the command's own spans: the story of an order begins where the mesh takes it."""

    def put(self, _: Span) -> None:
        """Keep nothing."""


class OrderCalls:
    """The calls, over one channel.

    All methods raise:
        Refusal: It was not done, for the reason given, or nobody answered (UNAVAILABLE, DEADLINE_EXCEEDED).
    """

    def __init__(self, address: str, channel: Channel) -> None:
        self._address = address
        self._stub = order_service_pb2_grpc.OrderServiceStub(channel.for_stub)
        self._write = MessageWriters().write

    async def place(self, document: Mapping[str, Any], request_id: str) -> Json:
        """Place the order that the document describes; the same request_id never orders twice."""
        request = _read_place_request({**document, "request_id": request_id})
        with self._refusals():
            answer = await self._stub.PlaceOrder(request, timeout=_CALL_SECONDS)
        return self._document(answer.order)

    async def get(self, order_id: str) -> Json:
        """Return one order."""
        with self._refusals():
            answer = await self._stub.GetOrder(pb.GetOrderRequest(order_id=order_id), timeout=_CALL_SECONDS)
        return self._document(answer.order)

    async def find(self, *, state: str, customer_id: str, needs_review: bool, limit: int) -> list[Json]:
        """Return at most `limit` orders, newest first; an empty filter lets all through."""
        found: list[Json] = []
        token = ""
        while len(found) < limit:
            request = pb.ListOrdersRequest(
                state=order_pb2.OrderState.Value(f"ORDER_STATE_{state or 'UNSPECIFIED'}"),
                customer_id=customer_id,
                needs_review=needs_review,
                page_size=min(limit - len(found), _LARGEST_PAGE),
                page_token=token,
            )
            with self._refusals():
                page = await self._stub.ListOrders(request, timeout=_CALL_SECONDS)
            found += [self._document(order) for order in page.orders]
            token = page.next_page_token
            if not token:
                break
        return found

    async def explain(self, order_id: str) -> Json:
        """Return the story of one order."""
        with self._refusals():
            answer = await self._stub.ExplainOrder(pb.ExplainOrderRequest(order_id=order_id), timeout=_CALL_SECONDS)
        return self._document(answer)

    async def watch(self, order_id: str) -> AsyncIterator[Json]:
        """Yield the order now and after each change, until it can change no more by itself.

        Servers renew their connections every few minutes, so a stream that ends early is taken up again.
        """
        seen = 0
        while True:
            # From the version seen last: its coming again shows that somebody answered before the stream ended.
            request = pb.WatchOrderRequest(order_id=order_id, after_version=max(0, seen - 1))
            answered = False
            try:
                with self._refusals():
                    async for answer in self._stub.WatchOrder(request):
                        answered = True
                        if answer.order.version > seen:
                            seen = answer.order.version
                            yield self._document(answer.order)
            except Refusal as refusal:
                if not answered or refusal.reason is not Reason.UNAVAILABLE:
                    raise
            else:
                return

    def _document(self, message: Any) -> Json:  # noqa: ANN401  (any message of the contract)
        document: Json = self._write(message)
        return document

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) or self._transport(error.code()) from error

    def _transport(self, code: grpc.StatusCode) -> Refusal:
        match code:
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return Refusal(Reason.UNAVAILABLE, f"Nobody answers at {self._address} (ORDER_ADDR).")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return Refusal(Reason.DEADLINE_EXCEEDED, f"No answer came within {_CALL_SECONDS:.0f} s.")
            case _:
                return Refusal(Reason.INTERNAL, f"{self._address} ended the call with {code.name}.")


@asynccontextmanager
async def order_calls(address: str) -> AsyncIterator[OrderCalls]:
    """Open a channel to order_svc and close it again."""
    clock = SystemClock()
    tracer = Tracer("cli", _Nowhere(), lambda: int(clock.now().timestamp() * 1e9), SystemRandom().getrandbits)
    channel = Channel(
        address, services=[pb.DESCRIPTOR.services_by_name["OrderService"]], tracer=tracer, metrics=Metrics("cli")
    )
    try:
        yield OrderCalls(address, channel)
    finally:
        await channel.close()


def _read_place_request(document: Json) -> pb.PlaceOrderRequest:
    try:
        request = MessageReaders().read(pb.PlaceOrderRequest.DESCRIPTOR, document)
    except wrong.Wrong as error:
        raise wrong.refusal(error.violations) from None
    assert isinstance(request, pb.PlaceOrderRequest)
    return request


def run(work: Coroutine[object, object, T]) -> T:
    """Run calls on an event loop of their own."""
    return chassis.process.run(work)
