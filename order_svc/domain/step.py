"""The steps of the saga, and what holds for all of them: which refusals pass, which are final, which need a person."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.errors import Reason, Refusal
from kernel.outcome import Unknown
from order_svc.domain.order import Order
from order_svc.domain.payment import Payment, PaymentRefund, RefundState
from order_svc.domain.transition import Transition, parked, retried


class Step(StrEnum):
    """What the saga does next, with the outside world."""

    QUOTE_TAX = "quote_tax"
    CHARGE = "charge"
    READ_PAYMENT = "read_payment"
    READ_HOLD = "read_hold"
    CAPTURE = "capture"
    CANCEL_PAYMENT = "cancel_payment"
    REFUND = "refund"
    GIVE_BACK = "give_back"
    CATCH_UP = "catch_up"


# What payment_svc and tax_svc refuse because of what the customer asked for: before any money moved it fails the order.
FINAL_REASONS = frozenset(
    {
        Reason.VALIDATION_FAILED,
        Reason.ADDRESS_INVALID,
        Reason.AMOUNT_OUT_OF_RANGE,
        Reason.PAYMENT_DECLINED,
        Reason.PAYMENT_METHOD_INVALID,
        Reason.PROVIDER_REFUSED,
        Reason.TAX_UNAVAILABLE,
    }
)

# What is about one call: too late, too busy, not allowed before somebody mends the set-up. It says nothing about an
# earlier try, and the same call may succeed later. What is neither this nor final should not be: a person has to look.
_PASSING_REASONS = frozenset(
    {
        Reason.VERSION_MISMATCH,
        Reason.UNAVAILABLE,
        Reason.DEADLINE_EXCEEDED,
        Reason.OVERLOADED,
        Reason.INTERNAL,
        Reason.NOT_IMPLEMENTED,
        Reason.UNAUTHENTICATED,
        Reason.PERMISSION_DENIED,
    }
)

OUTDATED = Unknown("an answer older than what is known")


@dataclass(frozen=True, slots=True)
class Refunded:
    """What came of asking for a refund.

    Attributes:
        payment: The payment afterwards.
        refund: The refund.
    """

    payment: Payment
    refund: PaymentRefund

    @property
    def failed(self) -> bool:
        """Say whether the provider or the bank will not carry it out; its money is still here."""
        return self.refund.state is RefundState.FAILED


def passes(refusal: Refusal) -> bool:
    """Say whether a refusal is about the call alone, so that the same call may succeed later."""
    return refusal.reason in _PASSING_REASONS


def hindered(order: Order, now: datetime, refusal: Refusal, step: Step, luck: float) -> Transition:
    """Try again what was refused for a reason that passes; leave everything else to a person."""
    if passes(refusal):
        about_the_call = Unknown(f"refused: {refusal.reason.value}", refusal.retry_after)
        return retried(order, now, about_the_call, step, luck)
    return parked(order, now, refusal.reason, step)


def outdated(order: Order, payment: Payment) -> bool:
    """Say whether an answer took so long that the order has heard of something newer meanwhile; 0 tells no version."""
    return order.payment is not None and 0 < payment.version < order.payment.version
