"""Stripe's JSON as our words. What cannot be read raises ValueError, KeyError or TypeError: UNREADABLE."""

from collections.abc import Mapping
from typing import Any

from payment_svc.adapters.stripe_amounts import from_stripe
from payment_svc.adapters.stripe_problem import failure_id
from payment_svc.domain.intent import Decline, DeclineKind, Intent, IntentStatus, ProviderRefund, RefundState

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)

_STATUS = {
    "requires_payment_method": IntentStatus.UNCONFIRMED,
    "requires_confirmation": IntentStatus.UNCONFIRMED,
    "requires_action": IntentStatus.ACTION_REQUIRED,
    "processing": IntentStatus.PROCESSING,
    "requires_capture": IntentStatus.AUTHORIZED,
    "succeeded": IntentStatus.SUCCEEDED,
    "canceled": IntentStatus.CANCELLED,
}

_REFUND_STATE = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}


def intent_of(data: Mapping[str, Any]) -> Intent:
    """Return a PaymentIntent."""
    metadata = data["metadata"]
    failure = data["last_payment_error"]
    return Intent(
        intent_id=data["id"],
        payment_id=metadata.get("payment_id", ""),
        order_id=metadata.get("order_id", ""),
        status=_STATUS[data["status"]],
        amount=from_stripe(data["amount"], data["currency"]),
        captured=from_stripe(data["amount_received"], data["currency"]),
        failure=None if failure is None else _decline_of(failure),
        client_secret=data["client_secret"] or "",
    )


def refund_of(data: Mapping[str, Any]) -> ProviderRefund:
    """Return a Refund."""
    return ProviderRefund(
        provider_refund_id=data["id"],
        refund_id=data["metadata"].get("refund_id", ""),
        state=_REFUND_STATE[data["status"]],
        amount=from_stripe(data["amount"], data["currency"]),
    )


def _decline_of(failure: dict[str, Any]) -> Decline:
    return Decline(
        kind=DeclineKind.ISSUER,
        code=failure.get("code") or failure["type"],
        decline_code=failure.get("decline_code") or "",
        message=failure.get("message") or "",
        failure_id=failure_id(failure),
    )
