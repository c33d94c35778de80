"""Payments, refunds and their keys as rows and back. Total in both directions; a test takes every kind around."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from kernel.money import Money
from payment_svc.app.ports import ProviderEvent, Request
from payment_svc.domain.intent import Decline, DeclineKind, RefundState
from payment_svc.domain.payment import Payment, PaymentState
from payment_svc.domain.refund import Refund

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

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
        "intent_id": payment.intent_id,
        "traceparent": payment.trace,
        "created_at": to_ms(payment.created_at),
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
    }


def payment_of(row: Row[Any], refunds: Sequence[Row[Any]]) -> Payment:
    """Return the payment in a row of PAYMENTS and its rows of REFUNDS, oldest first."""
    currency_code = row.currency_code
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
        intent_id=row.intent_id,
        attempt=row.attempt,
        payment_method=row.payment_method,
        past_failure=row.past_failure,
        decline=decline,
        created_at=from_ms(row.created_at),
        updated_at=from_ms(row.updated_at),
        trace=row.traceparent,
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
    )
