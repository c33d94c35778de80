"""The payment of an order, as payment_svc tells it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kernel.money import Money


class PaymentState(StrEnum):
    """Where a payment stands; ordermesh.payment.v1.PaymentState says what each means."""

    PENDING = "PENDING"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"


class RefundState(StrEnum):
    """Where a refund stands; ordermesh.payment.v1.RefundState says what each means."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class PaymentRefund:
    """A refund as payment_svc has it.

    Attributes:
        refund_id: payment_svc's id.
        provider_refund_id: Stripe's: "re_…"; empty until it was made.
        state: Where it stands.
        amount: What goes back.
        by_hand: It was made at Stripe, and not by us.
        failure_reason: Stripe's words; empty unless it failed.
    """

    refund_id: str
    provider_refund_id: str
    state: RefundState
    amount: Money
    by_hand: bool = False
    failure_reason: str = ""


@dataclass(frozen=True, slots=True)
class Dispute:
    """What the customer's bank has asked back.

    Attributes:
        provider_dispute_id: Stripe's: "dp_…".
        state: A value of ordermesh.payment.v1.DisputeState, without its prefix.
        amount: What is disputed.
        reason: The bank's.
        evidence_due_at: Until when evidence can be handed in; None when nothing can be.
        opened_at: When it was opened.
    """

    provider_dispute_id: str
    state: str
    amount: Money
    reason: str
    evidence_due_at: datetime | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """What payment_svc said of the order's payment.

    Attributes:
        payment_id: payment_svc's id.
        provider_payment_id: Stripe's: "pi_…".
        state: Where it stands.
        amount: What was asked for.
        captured: What was taken.
        refunded: What was given back.
        client_secret: For the customer's browser while action is required; else empty.
        decline_code: The issuer's reason when declined; else empty.
        decline_message: A sentence for the customer when declined; else empty.
        version: Up to which of payment_svc's versions the order knows it; 0 when that was never told. Not compared: a
            new version with all the rest as it was is nothing that anybody has to know.
        hold_expires_at: Until when held money can be taken; None unless it is held.
        disputes: Oldest first.
        refunds: As payment_svc has just told them, oldest first. Neither kept nor compared: the order has its own.
    """

    payment_id: str
    provider_payment_id: str
    state: PaymentState
    amount: Money
    captured: Money
    refunded: Money
    client_secret: str = ""
    decline_code: str = ""
    decline_message: str = ""
    version: int = field(default=0, compare=False)
    hold_expires_at: datetime | None = None
    disputes: tuple[Dispute, ...] = ()
    refunds: tuple[PaymentRefund, ...] = field(default=(), compare=False)

    @property
    def kept(self) -> Money:
        """Return what of the customer's money was taken and not given back."""
        return self.captured - self.refunded

    @property
    def released(self) -> Money:
        """Return what of a hold was let go when the rest was taken."""
        taken = self.state is PaymentState.SUCCEEDED
        return self.amount - self.captured if taken else Money.zero(self.amount.currency_code)

    @property
    def version_before(self) -> int:
        """Return the version to keep where not all of this one is taken in: what is left of it then counts as new."""
        return max(0, self.version - 1)
