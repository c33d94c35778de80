"""ordermesh.order.v1.OrderService: wire to use case to wire."""

from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
from ordermesh.order.v1 import order_service_pb2 as pb
from ordermesh.order.v1 import order_service_pb2_grpc

from chassis import caller, deadline
from chassis.wire import fingerprint, money_to_wire
from kernel.errors import Reason, Refusal
from kernel.request import Request
from order_svc import wire
from order_svc.app.place import PlaceOrder
from order_svc.app.quote import QuoteOrder
from order_svc.app.read import ReadOrders
from order_svc.app.retry import RetryOrder

Context = grpc.aio.ServicerContext[Any, Any]


class OrderServicer(order_service_pb2_grpc.OrderServiceServicer):
    """Translates, calls, translates."""

    def __init__(
        self, quote: QuoteOrder, place: PlaceOrder, read: ReadOrders, retry: RetryOrder, *, patience_seconds: float
    ) -> None:
        self._quote = quote
        self._place = place
        self._read = read
        self._retry = retry
        # How long PlaceOrder waits for an order to be settled before it answers PENDING.
        self._patience_seconds = patience_seconds

    async def QuoteOrder(self, request: pb.QuoteOrderRequest, context: Context) -> pb.QuoteOrderResponse:
        draft = wire.draft_from_wire(request)
        tax = await self._quote(draft)
        return pb.QuoteOrderResponse(
            subtotal=money_to_wire(draft.subtotal),
            tax=wire.tax_to_wire(tax),
            total=money_to_wire(draft.subtotal + tax.amount),
        )

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Context) -> pb.PlaceOrderResponse:
        order = await self._place(
            wire.draft_from_wire(request),
            request.payment_method,
            request.reference,
            _key(request),
            deadline.remaining(self._patience_seconds),
        )
        return pb.PlaceOrderResponse(order=wire.order_to_wire(order))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        return pb.GetOrderResponse(order=wire.order_to_wire(await self._read.get(request.order_id)))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        size = wire.page_size_from_wire(request.page_size)
        # One more than asked for tells whether there is a next page.
        found = await self._read.page(wire.filter_from_wire(request), wire.page_token_from_wire(request), size + 1)
        token = wire.page_token_to_wire(request, found[size - 1]) if len(found) > size else ""
        return pb.ListOrdersResponse(
            orders=[wire.order_to_wire(order) for order in found[:size]], next_page_token=token
        )

    async def WatchOrder(self, request: pb.WatchOrderRequest, context: Context) -> AsyncIterator[pb.WatchOrderResponse]:
        async for order in self._read.watch(request.order_id, request.after_version):
            yield pb.WatchOrderResponse(order=wire.order_to_wire(order))

    async def ExplainOrder(self, request: pb.ExplainOrderRequest, context: Context) -> pb.ExplainOrderResponse:
        return wire.story_to_wire(await self._read.explain(request.order_id))

    async def RetryOrder(self, request: pb.RetryOrderRequest, context: Context) -> pb.RetryOrderResponse:
        order = await self._retry(request.order_id, _key(request))
        return pb.RetryOrderResponse(order=wire.order_to_wire(order))

    async def ConfirmOrderPayment(
        self, request: pb.ConfirmOrderPaymentRequest, context: Context
    ) -> pb.ConfirmOrderPaymentResponse:
        _not_built_yet("ConfirmOrderPayment")

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        _not_built_yet("CancelOrder")

    async def RefundOrder(self, request: pb.RefundOrderRequest, context: Context) -> pb.RefundOrderResponse:
        _not_built_yet("RefundOrder")

    async def StartProcessing(self, request: pb.StartProcessingRequest, context: Context) -> pb.StartProcessingResponse:
        _not_built_yet("StartProcessing")

    async def ShipOrder(self, request: pb.ShipOrderRequest, context: Context) -> pb.ShipOrderResponse:
        _not_built_yet("ShipOrder")

    async def DeliverOrder(self, request: pb.DeliverOrderRequest, context: Context) -> pb.DeliverOrderResponse:
        _not_built_yet("DeliverOrder")

    async def AnnotateOrder(self, request: pb.AnnotateOrderRequest, context: Context) -> pb.AnnotateOrderResponse:
        _not_built_yet("AnnotateOrder")


def _key(request: pb.PlaceOrderRequest | pb.RetryOrderRequest) -> Request:
    return Request(caller.current(), request.request_id, fingerprint(request))


def _not_built_yet(method: str) -> NoReturn:
    raise Refusal(Reason.NOT_IMPLEMENTED, f"{method} is part of the contract and not built yet.")
