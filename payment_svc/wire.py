"""ordermesh.payment.v1 ⇄ domain. Total functions: what the protos' rules cannot state is refused here, by field."""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta

from ordermesh.payment.v1 import payment_pb2, payment_service_pb2

from chassis.wire import fingerprint, money_from_wire, money_to_wire, time_from_wire, time_to_wire
from kernel.errors import Refusal
from kernel.money import Money
from payment_svc.app.books import ListedPayment, ListedRefund
from payment_svc.app.capture import Capture
from payment_svc.app.charge import Charge
from payment_svc.app.give_back import RefundOrder
from payment_svc.domain.dispute import Dispute, DisputeState
from payment_svc.domain.intent import CaptureMode, Decline, RefundState
from payment_svc.domain.payment import Payment, PaymentState
from payment_svc.domain.refund import Refund

STATES = {
    PaymentState.PENDING: payment_pb2.PAYMENT_STATE_PENDING,
    PaymentState.ACTION_REQUIRED: payment_pb2.PAYMENT_STATE_ACTION_REQUIRED,
    PaymentState.AUTHORIZED: payment_pb2.PAYMENT_STATE_AUTHORIZED,
    PaymentState.SUCCEEDED: payment_pb2.PAYMENT_STATE_SUCCEEDED,
    PaymentState.DECLINED: payment_pb2.PAYMENT_STATE_DECLINED,
    PaymentState.CANCELLED: payment_pb2.PAYMENT_STATE_CANCELLED,
}
REFUND_STATES = {
    RefundState.PENDING: payment_pb2.REFUND_STATE_PENDING,
    RefundState.SUCCEEDED: payment_pb2.REFUND_STATE_SUCCEEDED,
    RefundState.FAILED: payment_pb2.REFUND_STATE_FAILED,
}
CAPTURE_MODES = {
    CaptureMode.AT_PLACEMENT: payment_pb2.CAPTURE_MODE_AT_PLACEMENT,
    CaptureMode.ON_SHIPMENT: payment_pb2.CAPTURE_MODE_ON_SHIPMENT,
}
DISPUTE_STATES = {
    DisputeState.INQUIRY: payment_pb2.DISPUTE_STATE_INQUIRY,
    DisputeState.NEEDS_RESPONSE: payment_pb2.DISPUTE_STATE_NEEDS_RESPONSE,
    DisputeState.UNDER_REVIEW: payment_pb2.DISPUTE_STATE_UNDER_REVIEW,
    DisputeState.WON: payment_pb2.DISPUTE_STATE_WON,
    DisputeState.LOST: payment_pb2.DISPUTE_STATE_LOST,
    DisputeState.CLOSED: payment_pb2.DISPUTE_STATE_CLOSED,
}

_DEFAULT_PAGE = 50
_LARGEST_PAGE = 200

# The most that Stripe puts on a page.
_LONG_PAGE = 100

_PROVIDER_ID = re.compile(r"[a-z]+_[A-Za-z0-9_]+")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UUID_LENGTH = 36


def charge_from_wire(message: payment_service_pb2.ChargePaymentRequest) -> Charge:
    """Return the command.

    Raises:
        Refusal: The currency does not exist, not_after is no moment, or something needs a saved customer; the field is
            named.
    """
    if not message.provider_customer_id and (message.off_session or message.save_payment_method):
        what = "charging without the customer" if message.off_session else "keeping the payment method"
        raise Refusal.of_field("provider_customer_id", f"is needed for {what}")
    on_shipment = message.capture_mode == payment_pb2.CAPTURE_MODE_ON_SHIPMENT
    return Charge(
        order_id=message.order_id.lower(),
        amount=money_from_wire(message.amount, "amount"),
        payment_method=message.payment_method,
        not_after=_not_after(message),
        capture_mode=CaptureMode.ON_SHIPMENT if on_shipment else CaptureMode.AT_PLACEMENT,
        customer_id=message.provider_customer_id,
        off_session=message.off_session,
        saves_method=message.save_payment_method,
    )


def charge_fingerprint(message: payment_service_pb2.ChargePaymentRequest) -> str:
    """Return what the request says, without not_after: that is about this call, and another in each repetition."""
    said = payment_service_pb2.ChargePaymentRequest()
    said.CopyFrom(message)
    said.ClearField("not_after")
    if said.capture_mode == payment_pb2.CAPTURE_MODE_AT_PLACEMENT:
        said.ClearField("capture_mode")  # which means the same
    return fingerprint(said)


def capture_from_wire(message: payment_service_pb2.CapturePaymentRequest) -> Capture:
    """Return the command.

    Raises:
        Refusal: The currency does not exist; the field is named.
    """
    amount = money_from_wire(message.amount, "amount") if message.HasField("amount") else None
    return Capture(message.payment_id.lower(), amount)


def cancel_amount_from_wire(message: payment_service_pb2.CancelPaymentRequest) -> Money | None:
    """Return what was to be paid, where it is said.

    Raises:
        Refusal: The currency does not exist, or neither a payment nor an order is named; the field is named.
    """
    if not message.payment_id and not message.order_id:
        raise Refusal.of_field("payment_id", "must be given, or order_id")
    return money_from_wire(message.amount, "amount") if message.HasField("amount") else None


def refund_from_wire(message: payment_service_pb2.RefundPaymentRequest) -> RefundOrder:
    """Return the command.

    Raises:
        Refusal: The currency does not exist; the field is named.
    """
    amount = money_from_wire(message.amount, "amount") if message.HasField("amount") else None
    return RefundOrder(message.payment_id.lower(), amount)


def payment_to_wire(payment: Payment) -> payment_pb2.Payment:
    """Return the payment as a message."""
    return payment_pb2.Payment(
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        state=STATES[payment.state],
        amount=money_to_wire(payment.amount),
        captured=money_to_wire(payment.captured),
        refunded=money_to_wire(payment.refunded),
        provider_payment_id=payment.intent_id,
        payment_method=payment.payment_method,
        client_secret=payment.client_secret,
        decline=None if payment.decline is None else _decline_to_wire(payment.decline),
        refunds=[refund_to_wire(refund) for refund in payment.refunds],
        create_time=time_to_wire(payment.created_at),
        update_time=time_to_wire(payment.updated_at),
        version=payment.version,
        capture_mode=CAPTURE_MODES[payment.capture_mode],
        hold_expire_time=None if payment.hold_expires_at is None else time_to_wire(payment.hold_expires_at),
        disputes=[dispute_to_wire(dispute) for dispute in payment.disputes],
        provider_customer_id=payment.customer_id,
    )


def refund_to_wire(refund: Refund) -> payment_pb2.Refund:
    """Return the refund as a message."""
    return payment_pb2.Refund(
        refund_id=refund.refund_id,
        provider_refund_id=refund.provider_refund_id,
        state=REFUND_STATES[refund.state],
        amount=money_to_wire(refund.amount),
        create_time=time_to_wire(refund.created_at),
        request_id=refund.request_id,
        failure_reason=refund.failure_reason,
    )


def dispute_to_wire(dispute: Dispute) -> payment_pb2.Dispute:
    """Return the dispute as a message."""
    due_at = dispute.evidence_due_at
    return payment_pb2.Dispute(
        provider_dispute_id=dispute.dispute_id,
        state=DISPUTE_STATES[dispute.state],
        amount=money_to_wire(dispute.amount),
        reason=dispute.reason,
        evidence_due_time=None if due_at is None else time_to_wire(due_at),
        create_time=time_to_wire(dispute.created_at),
    )


def provider_payment_to_wire(payment: ListedPayment) -> payment_pb2.ProviderPayment:
    """Return a payment of the provider's as a message."""
    return payment_pb2.ProviderPayment(
        provider_payment_id=payment.intent_id,
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        state=STATES[payment.state],
        amount=money_to_wire(payment.amount),
        captured=money_to_wire(payment.captured),
        refunded=money_to_wire(payment.refunded),
        create_time=time_to_wire(payment.created_at),
    )


def provider_refund_to_wire(refund: ListedRefund) -> payment_pb2.ProviderRefund:
    """Return a refund of the provider's as a message."""
    return payment_pb2.ProviderRefund(
        provider_refund_id=refund.provider_refund_id,
        refund_id=refund.refund_id,
        provider_payment_id=refund.intent_id,
        state=REFUND_STATES[refund.state],
        amount=money_to_wire(refund.amount),
        create_time=time_to_wire(refund.created_at),
    )


def long_page_size_from_wire(page_size: int) -> int:
    """Return how many to list where programs read: 100 for 0, and never more."""
    return min(page_size or _LONG_PAGE, _LONG_PAGE)


def cursor_from_wire(token: str) -> str:
    """Return the provider's id that the next page comes after; empty for the first page.

    Raises:
        Refusal: The token is not one of ours.
    """
    try:
        cursor = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except ValueError as error:
        raise _not_a_token() from error
    if cursor and not _PROVIDER_ID.fullmatch(cursor):
        raise _not_a_token()
    return cursor


def cursor_to_wire(cursor: str) -> str:
    """Return the token that asks for what comes after this id of the provider's; empty for none."""
    return base64.urlsafe_b64encode(cursor.encode()).decode()


def page_size_from_wire(page_size: int) -> int:
    """Return how many to list: 50 for 0, and never more than 200."""
    return min(page_size or _DEFAULT_PAGE, _LARGEST_PAGE)


def page_token_from_wire(token: str) -> tuple[datetime, str] | None:
    """Return the (created_at or news_at, payment_id) that the next page comes after; None for the first page.

    Raises:
        Refusal: The token is not one of ours.
    """
    if not token:
        return None
    try:
        milliseconds, payment_id = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii").split(":")
        after = _EPOCH + int(milliseconds) * _MILLISECOND
    except (binascii.Error, OverflowError, ValueError) as error:
        raise _not_a_token() from error
    if len(payment_id) != _UUID_LENGTH:
        raise _not_a_token()
    return after, payment_id


def page_token_to_wire(last: Payment) -> str:
    """Return the token that asks for what comes after this payment."""
    return _place_to_wire(last.created_at, last.payment_id)


def news_token_to_wire(last: Payment) -> str:
    """Return the token that asks for news after this payment's; empty when it is none."""
    return _place_to_wire(last.news_at, last.payment_id) if last.news_at else ""


def _place_to_wire(moment: datetime, payment_id: str) -> str:
    return base64.urlsafe_b64encode(f"{(moment - _EPOCH) // _MILLISECOND}:{payment_id}".encode()).decode()


def _not_after(message: payment_service_pb2.ChargePaymentRequest) -> datetime | None:
    return time_from_wire(message.not_after, "not_after") if message.HasField("not_after") else None


def _decline_to_wire(decline: Decline) -> payment_pb2.PaymentDecline:
    return payment_pb2.PaymentDecline(code=decline.code, decline_code=decline.decline_code, message=decline.message)


def _not_a_token() -> Refusal:
    return Refusal.of_field("page_token", "must be the next_page_token of an earlier answer, unchanged")
