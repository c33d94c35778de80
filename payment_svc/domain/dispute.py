"""A dispute: money that the customer's bank has asked back, or asks about. It is the provider's; we only follow it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.money import Money


class DisputeState(StrEnum):
    """The states of a dispute: those of the contract."""

    INQUIRY = "INQUIRY"
    """The bank asks; no money has moved."""
    NEEDS_RESPONSE = "NEEDS_RESPONSE"
    UNDER_REVIEW = "UNDER_REVIEW"
    WON = "WON"
    LOST = "LOST"
    CLOSED = "CLOSED"
    """An inquiry that ended without a dispute."""


# What somebody still has to watch, or to hand evidence in for.
OPEN = frozenset({DisputeState.INQUIRY, DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW})


@dataclass(frozen=True, slots=True)
class Dispute:
    """Money that the customer's bank has asked back. What was captured and given back of the payment stays what it is.

    Attributes:
        dispute_id: The provider's id: "dp_…", "du_…".
        state: Where it stands.
        amount: What is disputed; it may be in another currency than the payment.
        reason: The bank's: "fraudulent".
        evidence_due_at: Until when evidence can be handed in; None when nothing can be.
        created_at: When it was opened, to the second.
    """

    dispute_id: str
    state: DisputeState
    amount: Money
    reason: str
    evidence_due_at: datetime | None
    created_at: datetime
