"""Stripe's JSON as our words. What cannot be read raises ValueError, KeyError or TypeError: UNREADABLE."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payment_svc.adapters.stripe_amounts import from_stripe
from payment_svc.adapters.stripe_problem import failure_id
from payment_svc.app.books import ListedPayment, ListedRefund
from payment_svc.domain.dispute import Dispute, DisputeState
from payment_svc.domain.intent import Decline, DeclineKind, Intent, IntentStatus, ProviderRefund, RefundState
from payment_svc.domain.payment import HOLD, STATE_OF, PaymentState

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

# What we write into metadata, beside order_id, which many others write as well.
_OUR_IDS = frozenset({"payment_id", "refund_id"})

_REFUND_STATE = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}

# "warning" is Stripe's word for an inquiry. "prevented": the money was given back before it became a dispute.
_DISPUTE_STATE = {
    "warning_needs_response": DisputeState.INQUIRY,
    "warning_under_review": DisputeState.INQUIRY,
    "warning_closed": DisputeState.CLOSED,
    "needs_response": DisputeState.NEEDS_RESPONSE,
    "under_review": DisputeState.UNDER_REVIEW,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    "prevented": DisputeState.CLOSED,
}


def intent_of(data: Mapping[str, Any]) -> Intent:
    """Return a PaymentIntent."""
    metadata = data["metadata"]
    failure = data["last_payment_error"]
    status, charge = _STATUS[data["status"]], data.get("latest_charge")
    # An id, unless it was asked for as an object.
    charge = charge if isinstance(charge, Mapping) else None
    return Intent(
        intent_id=data["id"],
        payment_id=metadata.get("payment_id", ""),
        order_id=metadata.get("order_id", ""),
        status=status,
        amount=from_stripe(data["amount"], data["currency"]),
        captured=from_stripe(data["amount_received"], data["currency"]),
        failure=None if failure is None else _decline_of(failure),
        client_secret=data["client_secret"] or "",
        held_until=_held_until(charge) if status is IntentStatus.AUTHORIZED and charge is not None else None,
        disputed=charge is not None and bool(charge["disputed"]),
    )


def refund_of(data: Mapping[str, Any]) -> ProviderRefund:
    """Return a Refund."""
    return ProviderRefund(
        provider_refund_id=data["id"],
        refund_id=_metadata(data).get("refund_id", ""),
        state=_REFUND_STATE[data["status"]],
        amount=from_stripe(data["amount"], data["currency"]),
        failure_reason=data.get("failure_reason") or "",
        created_at=_time_of(data),
    )


def is_release(data: Mapping[str, Any]) -> bool:
    """Say whether what Stripe lists as a refund gave no money back, but let go of what was held and never taken.

    Stripe writes one for the rest of a hold that was taken in part. Nothing moved on our balance, and nobody marked it.
    """
    return data.get("balance_transaction", "") is None and data["status"] == "succeeded" and not is_ours(data)


def dispute_of(data: Mapping[str, Any]) -> Dispute:
    """Return a Dispute."""
    due_by = (data["evidence_details"] or {}).get("due_by")
    return Dispute(
        dispute_id=data["id"],
        state=_DISPUTE_STATE[data["status"]],
        amount=from_stripe(data["amount"], data["currency"]),
        reason=data["reason"],
        evidence_due_at=None if due_by is None else _moment(due_by),
        created_at=_time_of(data),
    )


def listed_payment_of(data: Mapping[str, Any]) -> ListedPayment:
    """Return a PaymentIntent, read with its latest charge, as it stands in Stripe's books."""
    intent = intent_of(data)
    return ListedPayment(
        intent_id=intent.intent_id,
        payment_id=intent.payment_id,
        order_id=intent.order_id,
        state=_listed_state(intent),
        amount=intent.amount,
        captured=intent.captured,
        refunded=from_stripe(_given_back(data["latest_charge"]), data["currency"]),
        created_at=_time_of(data),
    )


def listed_refund_of(data: Mapping[str, Any]) -> ListedRefund:
    """Return a Refund as it stands in Stripe's books."""
    refund = refund_of(data)
    return ListedRefund(
        provider_refund_id=refund.provider_refund_id,
        refund_id=refund.refund_id,
        intent_id=data["payment_intent"] or "",
        state=refund.state,
        amount=refund.amount,
        created_at=_time_of(data),
    )


def is_ours(data: Mapping[str, Any]) -> bool:
    """Say whether an object carries an id of ours."""
    return bool(_OUR_IDS & _metadata(data).keys())


def _listed_state(intent: Intent) -> PaymentState:
    if intent.status is IntentStatus.UNCONFIRMED:
        return PaymentState.PENDING if intent.failure is None else PaymentState.DECLINED
    return STATE_OF[intent.status]


def _given_back(charge: Mapping[str, Any] | None) -> int:
    """Return what was refunded of a charge. Money that was held and never taken counts as refunded at Stripe."""
    if charge is None or not charge["amount_captured"]:
        return 0
    released: int = charge["amount"] - charge["amount_captured"]
    return int(charge["amount_refunded"]) - released


def _held_until(charge: Mapping[str, Any]) -> datetime:
    """Return until when a charge can be captured: Stripe tells it for cards, where networks differ."""
    before = ((charge["payment_method_details"] or {}).get("card") or {}).get("capture_before")
    return _time_of(charge) + HOLD if before is None else _moment(before)


def _time_of(data: Mapping[str, Any]) -> datetime:
    return _moment(data["created"])


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OSError, OverflowError) as error:
        raise ValueError("no time that there is") from error


def _metadata(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of an object; of a refund they may be null."""
    return data["metadata"] or {}


def _decline_of(failure: dict[str, Any]) -> Decline:
    return Decline(
        kind=DeclineKind.ISSUER,
        code=failure.get("code") or failure["type"],
        decline_code=failure.get("decline_code") or "",
        message=failure.get("message") or "",
        failure_id=failure_id(failure),
    )
