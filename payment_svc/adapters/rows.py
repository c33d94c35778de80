"""Payments, refunds and their keys as rows and back. Total in both directions; a test takes every kind around."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from kernel.money import Money
from payment_svc.app.ports import ProviderEvent, Request
from payment_svc.domain.dispute import OPEN, Dispute, DisputeState
from payment_svc.domain.intent import CaptureMode, Decline, DeclineKind, Manner, RefundState
from payment_svc.domain.payment import Payment, PaymentState
from payment_svc.domain.refund import Refund

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# What stands in the place of an intent's id where there is none: the column is unique, and never null.
_NO_INTENT = "none:"

# What the columns hold of Stripe's words; all that are known are a third as long.
_LONGEST_REASON = 100

Columns = dict[str, object]


def to_ms(moment: datetime) -> int:
    """Return a moment as milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return milliseconds since 1970 as a moment."""
    return _EPOCH + milliseconds * _MILLISECOND


def payment_columns(payment: Payment, look_at: datetime | None) -> Columns:
    """Return the row of a new payment."""
    return {
        "payment_id": payment.payment_id,
        "order_id": payment.order_id,
        "currency_code": payment.amount.currency_code,
        "amount": payment.amount.minor_units,
        "intent_id": payment.intent_id or _NO_INTENT + payment.payment_id,
        "traceparent": payment.trace,
        "created_at": to_ms(payment.created_at),
        "capture_mode": payment.capture_mode.value,
        "customer_id": payment.customer_id,
        **moving_columns(payment, look_at),
    }


def moving_columns(payment: Payment, look_at: datetime | None) -> Columns:
    """Return the columns that may change: always all of them, so that changes of many payments share a statement."""
    decline = payment.decline
    return {
        "version": payment.version,
        "state": payment.state.value,
        "captured": payment.captured.minor_units,
        "refunded": payment.refunded.minor_units,
        "attempt": payment.attempt,
        "payment_method": payment.payment_method,
        "past_failure": payment.past_failure,
        "client_secret": payment.client_secret,
        "decline_kind": decline and decline.kind.value,
        "decline_code": decline and decline.code,
        "decline_reason": decline and decline.decline_code,
        "decline_message": decline and decline.message,
        "failure_id": decline and decline.failure_id,
        "updated_at": to_ms(payment.updated_at),
        "look_at": look_at and to_ms(look_at),
        "news_at": payment.news_at and to_ms(payment.news_at),
        "off_session": int(payment.manner.off_session),
        "saves_method": int(payment.manner.saves),
        "hold_expires_at": payment.hold_expires_at and to_ms(payment.hold_expires_at),
    }


def payment_of(row: Row[Any], refunds: Sequence[Row[Any]], disputes: Sequence[Row[Any]]) -> Payment:
    """Return the payment in a row of PAYMENTS and its rows of REFUNDS and DISPUTES, oldest first."""
    currency_code, capture_mode = row.currency_code, CaptureMode(row.capture_mode)
    decline = None
    if row.decline_kind is not None:
        decline = Decline(
            kind=DeclineKind(row.decline_kind),
            code=row.decline_code,
            decline_code=row.decline_reason,
            message=row.decline_message,
            failure_id=row.failure_id,
        )
    return Payment(
        payment_id=row.payment_id,
        order_id=row.order_id,
        version=row.version,
        state=PaymentState(row.state),
        amount=Money(currency_code, row.amount),
        captured=Money(currency_code, row.captured),
        refunded=Money(currency_code, row.refunded),
        intent_id="" if row.intent_id.startswith(_NO_INTENT) else row.intent_id,
        attempt=row.attempt,
        payment_method=row.payment_method,
        past_failure=row.past_failure,
        decline=decline,
        created_at=from_ms(row.created_at),
        updated_at=from_ms(row.updated_at),
        trace=row.traceparent,
        capture_mode=capture_mode,
        customer_id=row.customer_id,
        manner=Manner(
            holds=capture_mode is CaptureMode.ON_SHIPMENT,
            off_session=bool(row.off_session),
            saves=bool(row.saves_method),
        ),
        hold_expires_at=None if row.hold_expires_at is None else from_ms(row.hold_expires_at),
        disputes=tuple(_dispute_of(each) for each in disputes),
        refunds=tuple(_refund_of(each, currency_code) for each in refunds),
        news_at=None if row.news_at is None else from_ms(row.news_at),
        client_secret=row.client_secret,
    )


def refund_columns(refund: Refund, look_at: datetime | None) -> Columns:
    """Return the row of a new refund."""
    return {
        "refund_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "amount": refund.amount.minor_units,
        "traceparent": refund.trace,
        "created_at": to_ms(refund.created_at),
        "request_id": refund.request_id,
        **moving_refund_columns(refund, look_at),
    }


def moving_refund_columns(refund: Refund, look_at: datetime | None) -> Columns:
    """Return the columns of a refund that may change."""
    return {
        "state": refund.state.value,
        "provider_refund_id": refund.provider_refund_id,
        "send": refund.send,
        "updated_at": to_ms(refund.updated_at),
        "look_at": look_at and to_ms(look_at),
        "failure_reason": refund.failure_reason[:_LONGEST_REASON],
    }


def dispute_columns(dispute: Dispute, payment_id: str) -> Columns:
    """Return the row of a new dispute."""
    return {
        "dispute_id": dispute.dispute_id,
        "payment_id": payment_id,
        "currency_code": dispute.amount.currency_code,
        "created_at": to_ms(dispute.created_at),
        **moving_dispute_columns(dispute),
    }


def moving_dispute_columns(dispute: Dispute) -> Columns:
    """Return the columns of a dispute that may change."""
    return {
        "state": dispute.state.value,
        "is_open": int(dispute.state in OPEN),
        "amount": dispute.amount.minor_units,
        "reason": dispute.reason[:_LONGEST_REASON],
        "evidence_due_at": dispute.evidence_due_at and to_ms(dispute.evidence_due_at),
    }


def key_columns(request: Request, subject_id: str, now: datetime) -> Columns:
    """Return the row that remembers an idempotency key."""
    return {
        "caller": request.caller,
        "method": request.method,
        "request_id": request.request_id,
        "fingerprint": request.fingerprint,
        "subject_id": subject_id,
        "created_at": to_ms(now),
    }


def event_columns(event: ProviderEvent, now: datetime, look_at: datetime | None) -> Columns:
    """Return the row of a new event."""
    return {
        "event_id": event.event_id,
        "kind": event.kind,
        "intent_id": event.intent_id,
        "received_at": to_ms(now),
        "look_at": look_at and to_ms(look_at),
    }


def event_of(row: Row[Any]) -> tuple[ProviderEvent, datetime]:
    """Return the event in a row of STRIPE_EVENTS and when it came."""
    return ProviderEvent(row.event_id, row.kind, row.intent_id), from_ms(row.received_at)


def _refund_of(row: Row[Any], currency_code: str) -> Refund:
    return Refund(
        refund_id=row.refund_id,
        payment_id=row.payment_id,
        state=RefundState(row.state),
        amount=Money(currency_code, row.amount),
        provider_refund_id=row.provider_refund_id,
        send=row.send,
        created_at=from_ms(row.created_at),
        updated_at=from_ms(row.updated_at),
        trace=row.traceparent,
        request_id=row.request_id,
        failure_reason=row.failure_reason,
    )


def _dispute_of(row: Row[Any]) -> Dispute:
    return Dispute(
        dispute_id=row.dispute_id,
        state=DisputeState(row.state),
        amount=Money(row.currency_code, row.amount),
        reason=row.reason,
        evidence_due_at=None if row.evidence_due_at is None else from_ms(row.evidence_due_at),
        created_at=from_ms(row.created_at),
    )
