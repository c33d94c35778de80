"""payment_svc through its stubs."""

import logging

from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc

from chassis.wire import money_from_wire, money_to_wire, time_from_wire, time_to_wire
from kernel.errors import Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.calls import outcome, readable, with_our_fields
from order_svc.app.ports import Charge, News, Page
from order_svc.domain.draft import CaptureMode
from order_svc.domain.payment import Dispute, Payment, PaymentRefund, PaymentState, RefundState
from order_svc.domain.step import Refunded

_logger = logging.getLogger(__name__)

# A charge is two calls to Stripe, of some hundred milliseconds as a rule; beyond this it counts as unknown and is
# settled later.
_CALL_SECONDS = 10.0

# News is read from payment_svc's own tables.
_NEWS_SECONDS = 5.0

_Answer = (
    payment_service_pb2.ChargePaymentResponse
    | payment_service_pb2.ConfirmPaymentResponse
    | payment_service_pb2.CancelPaymentResponse
    | payment_service_pb2.CapturePaymentResponse
)

_STATES = {
    payment_pb2.PAYMENT_STATE_PENDING: PaymentState.PENDING,
    payment_pb2.PAYMENT_STATE_ACTION_REQUIRED: PaymentState.ACTION_REQUIRED,
    payment_pb2.PAYMENT_STATE_AUTHORIZED: PaymentState.AUTHORIZED,
    payment_pb2.PAYMENT_STATE_SUCCEEDED: PaymentState.SUCCEEDED,
    payment_pb2.PAYMENT_STATE_DECLINED: PaymentState.DECLINED,
    payment_pb2.PAYMENT_STATE_CANCELLED: PaymentState.CANCELLED,
}

_REFUND_STATES = {
    payment_pb2.REFUND_STATE_PENDING: RefundState.PENDING,
    payment_pb2.REFUND_STATE_SUCCEEDED: RefundState.SUCCEEDED,
    payment_pb2.REFUND_STATE_FAILED: RefundState.FAILED,
}

_CAPTURES = {
    CaptureMode.AT_PLACEMENT: payment_pb2.CAPTURE_MODE_AT_PLACEMENT,
    CaptureMode.ON_SHIPMENT: payment_pb2.CAPTURE_MODE_ON_SHIPMENT,
}


class GrpcPayments:
    """The port `Payments`."""

    def __init__(self, stub: "payment_service_pb2_grpc.PaymentServiceAsyncStub") -> None:
        self._stub = stub

    async def charge(self, charge: Charge) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Charge the order, or learn what became of the charge."""
        request = payment_service_pb2.ChargePaymentRequest(
            request_id=charge.request_id,
            order_id=charge.order_id,
            amount=money_to_wire(charge.amount),
            payment_method=charge.payment_method,
            not_after=time_to_wire(charge.not_after),
            capture_mode=_CAPTURES[charge.terms.capture],
            provider_customer_id=charge.provider_customer_id,
            off_session=charge.terms.off_session,
            save_payment_method=charge.terms.save_payment_method,
        )
        charged = await outcome(self._stub.ChargePayment(request, timeout=_CALL_SECONDS), _answered)
        return NotDone(with_our_fields(charged.reason, _ours)) if isinstance(charged, NotDone) else charged

    async def read(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Read the payment as the provider has it now."""
        request = payment_service_pb2.ConfirmPaymentRequest(request_id=request_id, payment_id=payment_id)
        return await outcome(self._stub.ConfirmPayment(request, timeout=_CALL_SECONDS), _answered)

    async def capture(
        self, payment_id: str, request_id: str, amount: Money
    ) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Take so much of held money, and let the rest go; what was taken, or has lapsed, is answered as it is."""
        request = payment_service_pb2.CapturePaymentRequest(
            request_id=request_id, payment_id=payment_id, amount=money_to_wire(amount)
        )
        return await outcome(self._stub.CapturePayment(request, timeout=_CALL_SECONDS), _answered)

    async def cancel(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Give the payment up if its money has not moved."""
        request = payment_service_pb2.CancelPaymentRequest(request_id=request_id, payment_id=payment_id)
        return await outcome(self._stub.CancelPayment(request, timeout=_CALL_SECONDS), _answered)

    async def forestall(
        self, order_id: str, amount: Money, request_id: str
    ) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Give up the payment of an order whose charge was never answered, whether or not there is one yet."""
        request = payment_service_pb2.CancelPaymentRequest(
            request_id=request_id, order_id=order_id, amount=money_to_wire(amount)
        )
        return await outcome(self._stub.CancelPayment(request, timeout=_CALL_SECONDS), _answered)

    async def refund(
        self, payment_id: str, request_id: str, amount: Money | None = None
    ) -> Done[Refunded] | NotDone[Refusal] | Unknown:
        """Give back an amount, or all that is left, once per request id."""
        request = payment_service_pb2.RefundPaymentRequest(
            request_id=request_id,
            payment_id=payment_id,
            amount=None if amount is None else money_to_wire(amount),
        )
        return await outcome(self._stub.RefundPayment(request, timeout=_CALL_SECONDS), _refunded)

    async def news(self, after: str = "") -> Done[Page[News]] | NotDone[Refusal] | Unknown:
        """List payments that changed without their order's asking, the longest unheard first: the page after a page."""
        request = payment_service_pb2.ListPaymentNewsRequest(page_token=after)
        return await outcome(self._stub.ListPaymentNews(request, timeout=_NEWS_SECONDS), _news)

    async def acknowledge(self, payment: Payment) -> Done[None] | NotDone[Refusal] | Unknown:
        """Say that the news of a payment was taken in, up to its version."""
        request = payment_service_pb2.AcknowledgePaymentNewsRequest(
            request_id=f"{payment.payment_id}:news:{payment.version}",
            payment_id=payment.payment_id,
            version=payment.version,
        )
        return await outcome(self._stub.AcknowledgePaymentNews(request, timeout=_NEWS_SECONDS), lambda _: None)


def _ours(field: str) -> str:
    """Return the name that a field of a charge has in the order's own request: the amount comes from the items."""
    return "items" if field.startswith("amount") else field


def _answered(answer: _Answer) -> Payment:
    return _payment(answer.payment)


def _refunded(answer: payment_service_pb2.RefundPaymentResponse) -> Refunded:
    return Refunded(_payment(answer.payment), _refund(answer.refund))


def _news(answer: payment_service_pb2.ListPaymentNewsResponse) -> Page[News]:
    return Page(readable(answer.payments, _payment_news, _tell_unreadable), answer.next_page_token)


def _payment_news(message: payment_pb2.Payment) -> News:
    return News(message.order_id, _payment(message))


def _tell_unreadable(message: payment_pb2.Payment) -> None:
    _logger.warning("news.unreadable", extra={"payment_id": message.payment_id})


def _payment(message: payment_pb2.Payment) -> Payment:
    return Payment(
        payment_id=message.payment_id,
        provider_payment_id=message.provider_payment_id,
        state=_STATES[message.state],
        amount=money_from_wire(message.amount, "payment.amount"),
        captured=money_from_wire(message.captured, "payment.captured"),
        refunded=money_from_wire(message.refunded, "payment.refunded"),
        client_secret=message.client_secret,
        decline_code=message.decline.decline_code or message.decline.code,
        decline_message=message.decline.message,
        version=message.version,
        hold_expires_at=time_from_wire(message.hold_expire_time, "hold_expire_time")
        if message.HasField("hold_expire_time")
        else None,
        disputes=tuple(_dispute(each) for each in message.disputes),
        refunds=tuple(_refund(each) for each in message.refunds),
    )


def _refund(message: payment_pb2.Refund) -> PaymentRefund:
    return PaymentRefund(
        refund_id=message.refund_id,
        provider_refund_id=message.provider_refund_id,
        state=_REFUND_STATES[message.state],
        amount=money_from_wire(message.amount, "refund.amount"),
        by_hand=not message.request_id,
        failure_reason=message.failure_reason,
    )


def _dispute(message: payment_pb2.Dispute) -> Dispute:
    due = message.evidence_due_time
    return Dispute(
        provider_dispute_id=message.provider_dispute_id,
        state=payment_pb2.DisputeState.Name(message.state).removeprefix("DISPUTE_STATE_"),
        amount=money_from_wire(message.amount, "dispute.amount"),
        reason=message.reason,
        evidence_due_at=time_from_wire(due, "evidence_due_time") if message.HasField("evidence_due_time") else None,
        opened_at=time_from_wire(message.create_time, "create_time"),
    )
