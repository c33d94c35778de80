"""PaymentService: wire → use case → wire."""

from ordermesh.payment.v1 import payment_service_pb2, payment_service_pb2_grpc

from chassis import caller
from chassis.layers import Context
from chassis.provider_watch import ProviderWatch
from chassis.telemetry import conventions, spans
from chassis.wire import fingerprint, provider_health_to_wire
from payment_svc import wire
from payment_svc.app.cases import Cases
from payment_svc.app.ports import Request
from payment_svc.domain.payment import Payment


class PaymentServicer(payment_service_pb2_grpc.PaymentServiceServicer):
    """The RPCs of ordermesh.payment.v1.PaymentService."""

    def __init__(self, cases: Cases, provider: ProviderWatch) -> None:
        self._cases = cases
        self._provider = provider

    async def GetPaymentProvider(
        self, request: payment_service_pb2.GetPaymentProviderRequest, context: Context
    ) -> payment_service_pb2.GetPaymentProviderResponse:
        return payment_service_pb2.GetPaymentProviderResponse(health=provider_health_to_wire(self._provider.health()))

    async def ChargePayment(
        self, request: payment_service_pb2.ChargePaymentRequest, context: Context
    ) -> payment_service_pb2.ChargePaymentResponse:
        key = _key("ChargePayment", request.request_id, wire.charge_fingerprint(request))
        payment = await self._cases.charge(wire.charge_from_wire(request), key)
        return payment_service_pb2.ChargePaymentResponse(payment=wire.payment_to_wire(_noted(payment)))

    async def ConfirmPayment(
        self, request: payment_service_pb2.ConfirmPaymentRequest, context: Context
    ) -> payment_service_pb2.ConfirmPaymentResponse:
        key = _key("ConfirmPayment", request.request_id, fingerprint(request))
        payment = await self._cases.confirm(request.payment_id.lower(), key)
        return payment_service_pb2.ConfirmPaymentResponse(payment=wire.payment_to_wire(_noted(payment)))

    async def CapturePayment(
        self, request: payment_service_pb2.CapturePaymentRequest, context: Context
    ) -> payment_service_pb2.CapturePaymentResponse:
        key = _key("CapturePayment", request.request_id, fingerprint(request))
        payment = await self._cases.capture(wire.capture_from_wire(request), key)
        return payment_service_pb2.CapturePaymentResponse(payment=wire.payment_to_wire(_noted(payment)))

    async def CancelPayment(
        self, request: payment_service_pb2.CancelPaymentRequest, context: Context
    ) -> payment_service_pb2.CancelPaymentResponse:
        key = _key("CancelPayment", request.request_id, fingerprint(request))
        amount = wire.cancel_amount_from_wire(request)
        if request.payment_id:
            payment = await self._cases.cancel(request.payment_id.lower(), key)
        else:
            payment = await self._cases.cancel.of_order(request.order_id.lower(), amount, key)
        return payment_service_pb2.CancelPaymentResponse(payment=wire.payment_to_wire(_noted(payment)))

    async def RefundPayment(
        self, request: payment_service_pb2.RefundPaymentRequest, context: Context
    ) -> payment_service_pb2.RefundPaymentResponse:
        key = _key("RefundPayment", request.request_id, fingerprint(request))
        refunded = await self._cases.refund(wire.refund_from_wire(request), key)
        return payment_service_pb2.RefundPaymentResponse(
            refund=wire.refund_to_wire(refunded.refund), payment=wire.payment_to_wire(_noted(refunded.payment))
        )

    async def GetPayment(
        self, request: payment_service_pb2.GetPaymentRequest, context: Context
    ) -> payment_service_pb2.GetPaymentResponse:
        payment = await self._cases.read.one(request.payment_id.lower())
        return payment_service_pb2.GetPaymentResponse(payment=wire.payment_to_wire(_noted(payment)))

    async def ListPayments(
        self, request: payment_service_pb2.ListPaymentsRequest, context: Context
    ) -> payment_service_pb2.ListPaymentsResponse:
        after = wire.page_token_from_wire(request.page_token)
        size = wire.page_size_from_wire(request.page_size)
        payments, more = await self._cases.read.page(request.order_id.lower(), after, size, disputed=request.disputed)
        return payment_service_pb2.ListPaymentsResponse(
            payments=[wire.payment_to_wire(payment) for payment in payments],
            next_page_token=wire.page_token_to_wire(payments[-1]) if more else "",
        )

    async def IngestStripeEvent(
        self, request: payment_service_pb2.IngestStripeEventRequest, context: Context
    ) -> payment_service_pb2.IngestStripeEventResponse:
        ingested = await self._cases.ingest(request.payload, request.signature)
        return payment_service_pb2.IngestStripeEventResponse(event_id=ingested.event_id, duplicate=ingested.duplicate)

    async def ListPaymentNews(
        self, request: payment_service_pb2.ListPaymentNewsRequest, context: Context
    ) -> payment_service_pb2.ListPaymentNewsResponse:
        size = wire.long_page_size_from_wire(request.page_size)
        payments = await self._cases.news.listed(size, wire.page_token_from_wire(request.page_token))
        return payment_service_pb2.ListPaymentNewsResponse(
            payments=[wire.payment_to_wire(payment) for payment in payments],
            next_page_token=wire.news_token_to_wire(payments[-1]) if len(payments) == size else "",
        )

    async def AcknowledgePaymentNews(
        self, request: payment_service_pb2.AcknowledgePaymentNewsRequest, context: Context
    ) -> payment_service_pb2.AcknowledgePaymentNewsResponse:
        await self._cases.news.acknowledge(request.payment_id.lower(), request.version)
        return payment_service_pb2.AcknowledgePaymentNewsResponse()

    async def ListProviderPayments(
        self, request: payment_service_pb2.ListProviderPaymentsRequest, context: Context
    ) -> payment_service_pb2.ListProviderPaymentsResponse:
        size = wire.long_page_size_from_wire(request.page_size)
        page = await self._cases.books.payments(wire.cursor_from_wire(request.page_token), size)
        return payment_service_pb2.ListProviderPaymentsResponse(
            payments=[wire.provider_payment_to_wire(payment) for payment in page.items],
            next_page_token=wire.cursor_to_wire(page.cursor),
        )

    async def ListProviderRefunds(
        self, request: payment_service_pb2.ListProviderRefundsRequest, context: Context
    ) -> payment_service_pb2.ListProviderRefundsResponse:
        size = wire.long_page_size_from_wire(request.page_size)
        page = await self._cases.books.refunds(wire.cursor_from_wire(request.page_token), size)
        return payment_service_pb2.ListProviderRefundsResponse(
            refunds=[wire.provider_refund_to_wire(refund) for refund in page.items],
            next_page_token=wire.cursor_to_wire(page.cursor),
        )

    async def ReleaseProviderPayment(
        self, request: payment_service_pb2.ReleaseProviderPaymentRequest, context: Context
    ) -> payment_service_pb2.ReleaseProviderPaymentResponse:
        key = _key("ReleaseProviderPayment", request.request_id, fingerprint(request))
        released = await self._cases.release(request.provider_payment_id, key)
        return payment_service_pb2.ReleaseProviderPaymentResponse(payment=wire.provider_payment_to_wire(released))


def _key(method: str, request_id: str, said: str) -> Request:
    span = spans.current()
    return Request(caller.current().key_owner, method, request_id, said, "" if span is None else span.traceparent())


def _noted(payment: Payment) -> Payment:
    """State on the span of the call whose payment it is about, and how that stands."""
    span = spans.current()
    if span is not None:
        span.set(conventions.ORDER_ID, payment.order_id)
        span.set(conventions.OUTCOME, payment.state.value.lower())
    return payment
