"""Money that goes back to the customer of a paid order, and what of it is about which line."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.money import Money
from order_svc.domain.fulfilment import Quantity
from order_svc.domain.payment import RefundState
from order_svc.domain.shares import Share


class RefundKind(StrEnum):
    """Why money goes back, or was never taken."""

    ASKED = "ASKED"
    """The shop has asked for it, through us."""
    BY_HAND = "BY_HAND"
    """Somebody made it at Stripe."""
    RELEASED = "RELEASED"
    """No refund: a part of a hold that was let go. Its part of the sale is taken back from the tax document alike."""


@dataclass(frozen=True, slots=True)
class Refund:
    """One of them.

    Attributes:
        number: Names it within its order, from 1.
        kind: Why.
        shares: What it is of each line; they add up to its amount.
        amount: What goes back, tax included.
        asked_at: When.
        items: The articles that it is about; empty when it is about an amount.
        reason: The shop's words; may be empty.
        state: Where it stands.
        send: How often it was sent, from 1: one that failed is sent again as a new refund of the provider.
        refund_id: payment_svc's id; empty until it has answered.
        provider_refund_id: Stripe's: "re_…"; empty until it was made.
        failure_reason: Why it failed; empty unless it did.
        booked: Its tax document and its mail were asked for.
    """

    number: int
    kind: RefundKind
    shares: tuple[Share, ...]
    amount: Money
    asked_at: datetime
    items: tuple[Quantity, ...] = ()
    reason: str = ""
    state: RefundState = RefundState.PENDING
    send: int = 1
    refund_id: str = ""
    provider_refund_id: str = ""
    failure_reason: str = ""
    booked: bool = False

    @property
    def unanswered(self) -> bool:
        """Say whether payment_svc is still to be asked for it."""
        return self.kind is RefundKind.ASKED and self.state is RefundState.PENDING and not self.refund_id

    @property
    def counts(self) -> bool:
        """Say whether its money is gone, or on its way."""
        return self.state is not RefundState.FAILED


def counted_shares(refunds: Iterable[Refund]) -> list[Share]:
    """Return what of the lines is gone already."""
    return [share for refund in refunds if refund.counts for share in refund.shares]


def counted_items(refunds: Iterable[Refund]) -> list[Quantity]:
    """Return which articles were given back already, by lines."""
    return [item for refund in refunds if refund.counts for item in refund.items]
