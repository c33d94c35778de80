"""OrderService as the command calls it: in and out go the documents of the REST API, errors come as refusals."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2 as pb

from cli.dial_grpc import CALL_SECONDS, Line, dialled, run
from gateway import wrong
from gateway.read_json import MessageReaders
from gateway.write_json import MessageWriters
from kernel.errors import Reason, Refusal

__all__ = ["Json", "OrderCalls", "order_calls", "run"]

Json = dict[str, Any]

_LARGEST_PAGE = 200


class OrderCalls:
    """The calls, over one channel.

    All methods raise:
        Refusal: It was not done, for the reason given, or nobody answered (UNAVAILABLE, DEADLINE_EXCEEDED).
    """

    def __init__(self, line: Line) -> None:
        self._refusals = line.refusals
        self._stub = order_service_pb2_grpc.OrderServiceStub(line.channel.for_stub)
        self._write = MessageWriters().write

    async def place(self, document: Mapping[str, Any], request_id: str) -> Json:
        """Place the order that the document describes; the same request_id never orders twice."""
        request = _read_place_request({**document, "request_id": request_id})
        with self._refusals():
            answer = await self._stub.PlaceOrder(request, timeout=CALL_SECONDS)
        return self._document(answer.order)

    async def get(self, order_id: str) -> Json:
        """Return one order."""
        with self._refusals():
            answer = await self._stub.GetOrder(pb.GetOrderRequest(order_id=order_id), timeout=CALL_SECONDS)
        return self._document(answer.order)

    async def retry(self, order_id: str, request_id: str) -> Json:
        """Take one order up again; the same request_id does it once."""
        request = pb.RetryOrderRequest(order_id=order_id, request_id=request_id)
        with self._refusals():
            answer = await self._stub.RetryOrder(request, timeout=CALL_SECONDS)
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


@asynccontextmanager
async def order_calls(address: str) -> AsyncIterator[OrderCalls]:
    """Open a channel to order_svc and close it again."""
    async with dialled(address, "ORDER_ADDR", pb.DESCRIPTOR.services_by_name["OrderService"]) as line:
        yield OrderCalls(line)


def _read_place_request(document: Json) -> pb.PlaceOrderRequest:
    try:
        request = MessageReaders().read(pb.PlaceOrderRequest.DESCRIPTOR, document)
    except wrong.Wrong as error:
        raise wrong.refusal(error.violations) from None
    assert isinstance(request, pb.PlaceOrderRequest)
    return request
