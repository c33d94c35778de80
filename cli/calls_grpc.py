"""OrderService as the command calls it: in and out go the documents of the REST API, errors come as refusals."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.descriptor import Descriptor
from ordermesh.order.v1 import order_service_pb2 as pb
from ordermesh.order.v1 import order_service_pb2_grpc

from cli.config import CliConfig
from cli.dial_grpc import CALL_SECONDS, Line, dialled, run
from gateway import wrong
from gateway.read_json import MessageReaders
from gateway.write_json import MessageWriters
from kernel.clock import Clock, SystemClock
from kernel.errors import Reason, Refusal

__all__ = ["Json", "OrderCalls", "order_calls", "run"]

Json = dict[str, Any]

_SERVICE = pb.DESCRIPTOR.services_by_name["OrderService"]
_LARGEST_PAGE = 200

# How long a stream that once answered is asked for again: a service, or its whole machine, is restarted in less.
WATCH_PATIENCE_SECONDS = 120.0
_WATCH_PAUSE_SECONDS = 0.5


class OrderCalls:
    """The calls, over one channel.

    All methods raise:
        Refusal: It was not done, for the reason given, or nobody answered (UNAVAILABLE, DEADLINE_EXCEEDED).
    """

    def __init__(self, line: Line, clock: Clock) -> None:
        self._refusals = line.refusals
        self._clock = clock
        self._stub = order_service_pb2_grpc.OrderServiceStub(line.channel.for_stub)
        self._write = MessageWriters().write

    async def place(self, document: Mapping[str, Any], request_id: str) -> Json:
        """Place the order that the document describes; the same request_id never orders twice."""
        return await self.command("PlaceOrder", {**document, "request_id": request_id})

    async def command(self, rpc: str, document: Mapping[str, Any]) -> Json:
        """Give the command of that name ("CancelOrder") and return the order afterwards."""
        request = _read(_SERVICE.methods_by_name[rpc].input_type, document)
        with self._refusals():
            answer = await getattr(self._stub, rpc)(request, timeout=CALL_SECONDS)
        return self._document(answer.order)

    async def quote(self, document: Mapping[str, Any]) -> tuple[Json, Json]:
        """Return what was asked about, and what it would cost; what only an order has is passed over."""
        asked = {name: document[name] for name in pb.QuoteOrderRequest.DESCRIPTOR.fields_by_name if name in document}
        request = _read(pb.QuoteOrderRequest.DESCRIPTOR, asked)
        with self._refusals():
            answer = await self._stub.QuoteOrder(request, timeout=CALL_SECONDS)
        return self._document(request), self._document(answer)

    async def get(self, order_id: str) -> Json:
        """Return one order."""
        with self._refusals():
            answer = await self._stub.GetOrder(pb.GetOrderRequest(order_id=order_id), timeout=CALL_SECONDS)
        return self._document(answer.order)

    async def find(self, filters: Mapping[str, Any], limit: int, told: Callable[[int], None]) -> list[Json]:
        """Return at most `limit` orders, newest first, by the members of ListOrdersRequest that are given.

        Tells how many there are so far.
        """
        found: list[Json] = []
        token = ""
        while len(found) < limit:
            told(len(found))
            size = min(limit - len(found), _LARGEST_PAGE)
            request = _read(pb.ListOrdersRequest.DESCRIPTOR, {**filters, "page_size": size, "page_token": token})
            with self._refusals():
                page = await self._stub.ListOrders(request, timeout=CALL_SECONDS)
            found += [self._document(order) for order in page.orders]
            token = page.next_page_token
            if not token:
                break
        return found

    async def explain(self, order_id: str) -> Json:
        """Return the story of one order."""
        with self._refusals():
            answer = await self._stub.ExplainOrder(pb.ExplainOrderRequest(order_id=order_id), timeout=CALL_SECONDS)
        return self._document(answer)

    async def watch(self, order_id: str, *, until_final: bool = False) -> AsyncIterator[Json]:
        """Yield the order now and after each change, until it can change no more by itself, or to its very end.

        Servers renew their connections every few minutes, and are restarted once in a while: a stream that ends early
        is taken up again after the version seen last, until nobody has answered for WATCH_PATIENCE_SECONDS.
        """
        seen = 0
        answered_at: float | None = None
        while True:
            # From the version seen last: its coming again shows that somebody answered before the stream ended.
            request = pb.WatchOrderRequest(order_id=order_id, after_version=max(0, seen - 1), until_final=until_final)
            try:
                with self._refusals():
                    async for answer in self._stub.WatchOrder(request):
                        answered_at = self._clock.monotonic()
                        if answer.order.version > seen:
                            seen = answer.order.version
                            yield self._document(answer.order)
            except Refusal as refusal:
                if answered_at is None or refusal.reason is not Reason.UNAVAILABLE:
                    raise
                if self._clock.monotonic() - answered_at > WATCH_PATIENCE_SECONDS:
                    raise
                await self._clock.sleep(_WATCH_PAUSE_SECONDS)
            else:
                return

    def _document(self, message: Any) -> Json:  # noqa: ANN401  (any message of the contract)
        document: Json = self._write(message)
        return document


@asynccontextmanager
async def order_calls(address: str, config: CliConfig | None = None) -> AsyncIterator[OrderCalls]:
    """Open a channel to order_svc and close it again."""
    async with dialled(address, "ORDER_ADDR", _SERVICE, config) as line:
        yield OrderCalls(line, SystemClock())


def _read(descriptor: Descriptor, document: Mapping[str, Any]) -> Any:  # noqa: ANN401  (a message of that type)
    try:
        return MessageReaders().read(descriptor, dict(document))
    except wrong.Wrong as error:
        raise wrong.refusal(error.violations) from None
