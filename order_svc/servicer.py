"""ordermesh.order.v1.OrderService: wire to use case to wire."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2 as pb

from chassis import caller, deadline
from chassis.wire import fingerprint, money_to_wire
from kernel.request import Request
from order_svc import list_wire, overview_wire, own_wire, page_wire, request_wire, wire
from order_svc.app.cases import Cases
from order_svc.domain.order import Order

Context = grpc.aio.ServicerContext[Any, Any]

_Command = (
    pb.PlaceOrderRequest
    | pb.ConfirmOrderPaymentRequest
    | pb.CancelOrderRequest
    | pb.RefundOrderRequest
    | pb.StartProcessingRequest
    | pb.ShipOrderRequest
    | pb.DeliverOrderRequest
    | pb.RetryOrderRequest
    | pb.AnnotateOrderRequest
    | pb.MarkOrderReviewedRequest
)


class OrderServicer(order_service_pb2_grpc.OrderServiceServicer):
    """Translates, calls, translates."""

    def __init__(self, cases: Cases, *, patience_seconds: float) -> None:
        self._cases = cases
        # How long a call waits for an order to be settled before it answers with the order as it stands.
        self._patience_seconds = patience_seconds

    async def QuoteOrder(self, request: pb.QuoteOrderRequest, context: Context) -> pb.QuoteOrderResponse:
        own_wire.draft_of(caller.current(), request)
        draft = request_wire.draft_from_wire(request)
        tax = await self._cases.quote(draft)
        return pb.QuoteOrderResponse(
            subtotal=money_to_wire(draft.subtotal),
            tax=wire.tax_to_wire(tax),
            total=money_to_wire(draft.total(tax.amount)),
        )

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Context) -> pb.PlaceOrderResponse:
        own_wire.draft_of(caller.current(), request)
        order = await self._cases.place(
            request_wire.draft_from_wire(request),
            request.payment_method,
            request_wire.terms_from_wire(request),
            request.note,
            _key(request),
            self._patience(),
        )
        return pb.PlaceOrderResponse(order=_shown(order))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        order = await self._cases.read.get(request.order_id, caller.current().customer_id)
        return pb.GetOrderResponse(order=_shown(order))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        request = own_wire.list_of(caller.current(), request)
        size = page_wire.page_size_from_wire(request.page_size)
        # One more than asked for tells whether there is a next page.
        found = await self._cases.read.page(
            list_wire.filter_from_wire(request), list_wire.page_token_from_wire(request), size + 1
        )
        token = list_wire.page_token_to_wire(request, found[size - 1]) if len(found) > size else ""
        return pb.ListOrdersResponse(orders=[_shown(order) for order in found[:size]], next_page_token=token)

    async def WatchOrder(self, request: pb.WatchOrderRequest, context: Context) -> AsyncIterator[pb.WatchOrderResponse]:
        async for order in self._cases.read.watch(
            request.order_id,
            request.after_version,
            until_final=request.until_final,
            customer_id=caller.current().customer_id,
        ):
            yield pb.WatchOrderResponse(order=_shown(order))

    async def ExplainOrder(self, request: pb.ExplainOrderRequest, context: Context) -> pb.ExplainOrderResponse:
        return wire.story_to_wire(await self._cases.read.explain(request.order_id))

    async def RetryOrder(self, request: pb.RetryOrderRequest, context: Context) -> pb.RetryOrderResponse:
        order = await self._cases.retry(request.order_id, _key(request))
        return pb.RetryOrderResponse(order=_shown(order))

    async def ConfirmOrderPayment(
        self, request: pb.ConfirmOrderPaymentRequest, context: Context
    ) -> pb.ConfirmOrderPaymentResponse:
        order = await self._cases.confirm(
            request.order_id, request.payment_method, request.etag, _key(request), self._patience()
        )
        return pb.ConfirmOrderPaymentResponse(order=_shown(order))

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        order = await self._cases.cancel(
            request.order_id, request.reason, request.etag, _key(request), self._patience()
        )
        return pb.CancelOrderResponse(order=_shown(order))

    async def RefundOrder(self, request: pb.RefundOrderRequest, context: Context) -> pb.RefundOrderResponse:
        wanted = request_wire.wanted_from_wire(request)
        order = await self._cases.refund(request.order_id, wanted, request.etag, _key(request), self._patience())
        return pb.RefundOrderResponse(order=_shown(order))

    async def StartProcessing(self, request: pb.StartProcessingRequest, context: Context) -> pb.StartProcessingResponse:
        order = await self._cases.fulfil.process(request.order_id, request.etag, _key(request))
        return pb.StartProcessingResponse(order=_shown(order))

    async def ShipOrder(self, request: pb.ShipOrderRequest, context: Context) -> pb.ShipOrderResponse:
        handover = request_wire.handover_from_wire(request)
        order = await self._cases.fulfil.ship(request.order_id, handover, request.etag, _key(request), self._patience())
        return pb.ShipOrderResponse(order=_shown(order))

    async def DeliverOrder(self, request: pb.DeliverOrderRequest, context: Context) -> pb.DeliverOrderResponse:
        shipment = request_wire.shipment_from_wire(request)
        order = await self._cases.fulfil.deliver(request.order_id, shipment, request.etag, _key(request))
        return pb.DeliverOrderResponse(order=_shown(order))

    async def AnnotateOrder(self, request: pb.AnnotateOrderRequest, context: Context) -> pb.AnnotateOrderResponse:
        order = await self._cases.annotate(request.order_id, request.note, request.etag, _key(request))
        return pb.AnnotateOrderResponse(order=_shown(order))

    async def MarkOrderReviewed(
        self, request: pb.MarkOrderReviewedRequest, context: Context
    ) -> pb.MarkOrderReviewedResponse:
        order = await self._cases.mark_reviewed(request.order_id, request.finding, request.etag, _key(request))
        return pb.MarkOrderReviewedResponse(order=_shown(order))

    async def GetOrdersOverview(
        self, request: pb.GetOrdersOverviewRequest, context: Context
    ) -> pb.GetOrdersOverviewResponse:
        return overview_wire.overview_to_wire(await self._cases.overview())

    def _patience(self) -> float:
        return deadline.remaining(self._patience_seconds)


def _shown(order: Order) -> order_pb2.Order:
    return own_wire.shown_to(caller.current(), wire.order_to_wire(order))


def _key(request: _Command) -> Request:
    who = caller.current()
    return Request(who.key_owner, request.request_id, fingerprint(request), who.customer_id)
