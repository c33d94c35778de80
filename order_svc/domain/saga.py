"""The saga of placing an order: which step comes next, and what its outcome makes of the order.

Deciding is pure and happens here; doing belongs to the ports; the loop that joins them is app/driver.py. Recovery is
the same loop entered again with the order as it was last committed.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain.order import Failure, Order, Payment, PaymentState, Stage, State, TaskKind, Tax
from order_svc.domain.transition import (
    Transition,
    declined_at_once,
    failed,
    moved,
    parked,
    payment_facts,
    quietly,
    refund_failed,
    retried,
    undone,
)


class Step(StrEnum):
    """What the saga does next, with the outside world."""

    QUOTE_TAX = "quote_tax"
    CHARGE = "charge"
    READ_PAYMENT = "read_payment"
    CANCEL_PAYMENT = "cancel_payment"
    REFUND = "refund"


# How often a payment that waits for its customer is looked at: webhooks may be lost, and the customer looks at a
# spinner.
_FIRST_POLL_SECONDS = 1.0
_LONGEST_POLL_SECONDS = 30.0


# What payment_svc and tax_svc refuse because of what the customer asked for: before any money moved it fails the order.
_FINAL_REASONS = frozenset(
    {
        Reason.VALIDATION_FAILED,
        Reason.ADDRESS_INVALID,
        Reason.AMOUNT_OUT_OF_RANGE,
        Reason.PAYMENT_DECLINED,
        Reason.PAYMENT_METHOD_INVALID,
        Reason.PROVIDER_REFUSED,
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


_OUTDATED = Unknown("an answer older than what is known")


@dataclass(frozen=True, slots=True)
class Refunded:
    """What came of asking for a refund.

    Attributes:
        payment: The payment afterwards.
        failed: The provider or the bank will not carry out this refund; its money is still here.
    """

    payment: Payment
    failed: bool


def next_step(order: Order) -> Step | None:
    """Return what has to be done next, or None when the saga is over."""
    match order.stage:
        case Stage.QUOTING:
            return Step.QUOTE_TAX
        case Stage.CHARGING:
            return Step.CHARGE
        case Stage.AWAITING_CUSTOMER:
            return Step.READ_PAYMENT
        case Stage.UNDOING:
            return Step.REFUND if _money_taken(order.payment) else Step.CANCEL_PAYMENT
        case Stage.SETTLED:
            return None
        case _:
            assert_never(order.stage)


def after_quote(
    order: Order, outcome: Done[Tax] | NotDone[Refusal] | Unknown, now: datetime, luck: float
) -> Transition:
    """Fix tax and total; a basis that tax_svc refuses fails the order before any money could move.

    Args:
        order: QUOTING.
        outcome: The tax.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    match outcome:
        case Done(tax) if tax.amount.currency_code != order.draft.currency_code or tax.amount.minor_units < 0:
            return parked(order, now, Reason.PROVIDER_CONTRADICTS, Step.QUOTE_TAX, tax=str(tax.amount))
        case Done(tax):
            return Transition(
                moved(order, now, stage=Stage.CHARGING, tax=tax),
                "tax.quoted",
                {"source": tax.source.value, "tax": str(tax.amount)},
            )
        case NotDone(refusal) if refusal.reason in _FINAL_REASONS:
            return failed(order, now, failure_of(refusal))
        case NotDone(refusal):
            return _hindered(order, now, refusal, Step.QUOTE_TAX, luck)
        case Unknown():
            return retried(order, now, outcome, Step.QUOTE_TAX, luck)


def after_charge(
    order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime, action_seconds: float, luck: float
) -> Transition:
    """Take in what payment_svc says of the charge: now, or after the customer has acted.

    Args:
        order: CHARGING or AWAITING_CUSTOMER.
        outcome: The payment as it stands.
        now: The time.
        action_seconds: How long the customer may take.
        luck: 0 to 1, to spread retries.
    """
    step = Step.READ_PAYMENT if order.stage is Stage.AWAITING_CUSTOMER else Step.CHARGE
    match outcome:
        case Done(payment) if _outdated(order, payment):
            return retried(order, now, _OUTDATED, step, luck)
        case Done(payment) if payment.state is PaymentState.PENDING:
            return _retried_with(order, payment, now, "the payment is still under way", step, luck)
        case Done(payment):
            return _with_payment(order, payment, now, action_seconds, step)
        case NotDone(refusal) if refusal.reason not in _FINAL_REASONS:
            return _hindered(order, now, refusal, step, luck)
        case NotDone(refusal) if order.payment is not None:
            # An earlier answer told of a payment. It must not stay behind alive when the order fails.
            return undone(order, order.payment, now, failure_of(refusal), f"{step}.refused", {})
        case NotDone(refusal):
            return failed(order, now, failure_of(refusal))
        case Unknown():
            return retried(order, now, outcome, step, luck)


def after_cancel(
    order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime, luck: float
) -> Transition:
    """End an order whose payment was given up, or find that its money had moved after all and go on to refund it.

    Args:
        order: UNDOING.
        outcome: The payment as it stands.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    match outcome:
        case Done(payment) if _outdated(order, payment):
            return retried(order, now, _OUTDATED, Step.CANCEL_PAYMENT, luck)
        case Done(payment) if _money_taken(payment):
            late = moved(order, now, payment=payment)
            return Transition(late, "payment.late", {**payment_facts(payment), "captured": str(payment.captured)})
        case Done(payment) if payment.state in {PaymentState.CANCELLED, PaymentState.SUCCEEDED}:
            # Succeeded with nothing left of it: somebody gave the money back already.
            return _given_up(order, payment, now)
        case Done(payment):
            return _retried_with(order, payment, now, "not cancelled yet", Step.CANCEL_PAYMENT, luck)
        case NotDone(refusal):
            return _hindered(order, now, refusal, Step.CANCEL_PAYMENT, luck)
        case Unknown():
            return retried(order, now, outcome, Step.CANCEL_PAYMENT, luck)


def after_refund(
    order: Order, outcome: Done[Refunded] | NotDone[Refusal] | Unknown, now: datetime, luck: float
) -> Transition:
    """End an order whose money went back; what did not go back is sent again, or is a person's to look at.

    Args:
        order: UNDOING.
        outcome: The refund of the order's present number, and the payment.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    match outcome:
        case Done(refunded) if _outdated(order, refunded.payment):
            return retried(order, now, _OUTDATED, Step.REFUND, luck)
        case Done(refunded) if not _money_taken(refunded.payment):
            return _given_up(order, refunded.payment, now)
        case Done(refunded) if refunded.failed:
            return refund_failed(order, refunded.payment, now)
        case Done(refunded):
            # This refund is made, and was not all of it: another one before it has failed meanwhile. The rest is a new
            # refund, because this one's key will always answer with this one.
            rest = replace(order, refund_number=order.refund_number + 1)
            return _retried_with(rest, refunded.payment, now, "not all refunded", Step.REFUND, luck)
        case NotDone(Refusal(reason=Reason.REFUND_EXCEEDS_PAYMENT)) if order.payment is not None:
            # Nothing is left: somebody else gave it back. Giving the payment up reads it anew, and ends the order.
            gone = replace(order.payment, refunded=order.payment.captured)
            facts = {**payment_facts(gone), "refunded": str(gone.refunded)}
            return Transition(moved(order, now, payment=gone), "payment.changed", facts)
        case NotDone(refusal):
            return _hindered(order, now, refusal, Step.REFUND, luck)
        case Unknown():
            return retried(order, now, outcome, Step.REFUND, luck)


def failure_of(refusal: Refusal) -> Failure:
    """Return what an order keeps of a refusal."""
    named = refusal.fields[0].field if refusal.fields else ""
    return Failure(refusal.reason, refusal.message, refusal.metadata.get("declineCode", ""), named)


def passes(refusal: Refusal) -> bool:
    """Say whether a refusal is about the call alone, so that the same call may succeed later."""
    return refusal.reason in _PASSING_REASONS


def _with_payment(order: Order, payment: Payment, now: datetime, action_seconds: float, step: Step) -> Transition:
    """Take in a payment that is not under way any more, or that waits for the customer."""
    match payment.state:
        case PaymentState.SUCCEEDED if payment.captured == order.total and not payment.refunded.minor_units:
            paid = moved(order, now, stage=Stage.SETTLED, state=State.PAID, payment=payment, expires_at=None)
            tasks = (TaskKind.COMMIT_TAX, TaskKind.SEND_CONFIRMATION)
            return Transition(paid, "payment.charged", payment_facts(payment), tasks, ends=True)
        case PaymentState.SUCCEEDED | PaymentState.AUTHORIZED:
            # Money moved, and not as this order says: it goes back. Written down before it is done.
            wrong = Failure(Reason.PROVIDER_REFUSED, "The payment did not match the order; it is given back.")
            facts = {"captured": str(payment.captured), "total": str(order.total)}
            return undone(order, payment, now, wrong, "payment.mismatched", facts)
        case PaymentState.DECLINED:
            message = payment.decline_message or "The card was declined."
            declined = Failure(Reason.PAYMENT_DECLINED, message, payment.decline_code)
            if step is Step.READ_PAYMENT:
                # The customer's browser could still pay with another card: the payment is given up before the order is.
                return undone(order, payment, now, declined, "payment.declined", {})
            return declined_at_once(order, payment, now, declined)
        case PaymentState.CANCELLED:
            given_up = Failure(Reason.PAYMENT_DECLINED, "The payment was given up before it was made.")
            return failed(replace(order, payment=payment), now, given_up)
        case _:
            return _await_customer(order, payment, now, action_seconds)


def _await_customer(order: Order, payment: Payment, now: datetime, action_seconds: float) -> Transition:
    expires_at = order.expires_at or now + timedelta(seconds=action_seconds)
    if now >= expires_at:
        late = Failure(Reason.PAYMENT_DECLINED, "The payment was not confirmed in time.", "authentication_expired")
        return undone(order, payment, now, late, "payment.expired", {})
    polled = order.stage is Stage.AWAITING_CUSTOMER
    tries = order.tries + 1 if polled else 0
    waiting = moved(
        order,
        now,
        told=not polled or payment != order.payment,
        stage=Stage.AWAITING_CUSTOMER,
        state=State.PAYMENT_ACTION_REQUIRED,
        payment=payment,
        expires_at=expires_at,
        tries=tries,
    )
    poll = min(_LONGEST_POLL_SECONDS, _FIRST_POLL_SECONDS * 2.0 ** min(tries, 10))
    kind = "payment.polled" if polled else "payment.action_required"
    wake_at = min(now + timedelta(seconds=poll), expires_at)
    return quietly(order, waiting, kind, payment_facts(payment), wake_at)


def _given_up(order: Order, payment: Payment, now: datetime) -> Transition:
    """End an order of whose payment nothing is left; one that had ended before stays what it was."""
    if order.given_up:
        over = moved(order, now, stage=Stage.SETTLED, payment=payment)
        return Transition(over, "payment.undone", {**payment_facts(payment), "refunded": str(payment.refunded)})
    return failed(replace(order, payment=payment), now, _known_failure(order))


def _hindered(order: Order, now: datetime, refusal: Refusal, step: Step, luck: float) -> Transition:
    """Try again what was refused for a reason that passes; leave everything else to a person."""
    if passes(refusal):
        about_the_call = Unknown(f"refused: {refusal.reason.value}", refusal.retry_after)
        return retried(order, now, about_the_call, step, luck)
    return parked(order, now, refusal.reason, step)


def _retried_with(order: Order, payment: Payment, now: datetime, cause: str, step: Step, luck: float) -> Transition:
    return retried(order, now, Unknown(cause), step, luck, payment=payment)


def _outdated(order: Order, payment: Payment) -> bool:
    """Say whether an answer took so long that the order has heard of something newer meanwhile; 0 tells no version."""
    return order.payment is not None and 0 < payment.version < order.payment.version


def _money_taken(payment: Payment | None) -> bool:
    return payment is not None and payment.captured.minor_units > payment.refunded.minor_units


def _known_failure(order: Order) -> Failure:
    return order.failure or Failure(Reason.PROVIDER_REFUSED, "The order could not be completed; nothing stays charged.")
