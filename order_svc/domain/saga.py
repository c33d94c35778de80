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


class Step(StrEnum):
    """What the saga does next, with the outside world."""

    QUOTE_TAX = "quote_tax"
    CHARGE = "charge"
    READ_PAYMENT = "read_payment"
    CANCEL_PAYMENT = "cancel_payment"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Transition:
    """A move of the order, to be committed as one.

    Attributes:
        order: The order afterwards, its version one higher.
        kind: The journal's word for it.
        facts: What the journal keeps; never personal data.
        tasks: Work that follows, stored in the same commit.
        wake_at: When the saga goes on; None when it goes on at once or never.
    """

    order: Order
    kind: str
    facts: dict[str, str]
    tasks: tuple[TaskKind, ...] = ()
    wake_at: datetime | None = None


# The first retry is soon enough that a caller who still waits sees it; the cap is low enough that an order goes on
# within half a minute of a provider's return.
_FIRST_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 30.0

# How often a payment that waits for its customer is looked at: webhooks may be lost, and the customer looks at a
# spinner.
_FIRST_POLL_SECONDS = 1.0
_LONGEST_POLL_SECONDS = 30.0


def next_step(order: Order) -> Step | None:
    """Return what has to be done next, or None when the saga is over or a person has to look at the order."""
    if order.needs_review:
        return None
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


def after_quote(order: Order, outcome: Done[Tax] | NotDone[Refusal] | Unknown, now: datetime) -> Transition:
    """Fix tax and total; a basis that tax_svc refuses fails the order before any money could move."""
    match outcome:
        case Done(tax):
            return Transition(
                _moved(order, now, stage=Stage.CHARGING, tax=tax),
                "tax.quoted",
                {"source": tax.source.value, "tax": str(tax.amount)},
            )
        case NotDone(refusal):
            return _failed(order, now, failure_of(refusal))
        case Unknown():
            return _retry(order, now, outcome, Step.QUOTE_TAX)


def after_charge(
    order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime, action_seconds: float
) -> Transition:
    """Take in what payment_svc says of the charge: now, or after the customer has acted.

    Args:
        order: CHARGING or AWAITING_CUSTOMER.
        outcome: The payment as it stands.
        now: The time.
        action_seconds: How long the customer may take.
    """
    match outcome:
        case NotDone(refusal):
            return _failed(order, now, failure_of(refusal))
        case Unknown():
            return _retry(order, now, outcome, Step.CHARGE)
        case Done(payment):
            pass
    facts = {"payment_id": payment.payment_id, "provider_payment_id": payment.provider_payment_id}
    match payment.state:
        case PaymentState.SUCCEEDED if payment.captured == order.total:
            paid = _moved(order, now, stage=Stage.SETTLED, state=State.PAID, payment=payment, expires_at=None)
            return Transition(paid, "payment.charged", facts, (TaskKind.COMMIT_TAX, TaskKind.SEND_CONFIRMATION))
        case PaymentState.SUCCEEDED | PaymentState.AUTHORIZED:
            # Money moved, and not as this order says: it goes back. Written down before it is done.
            wrong = Failure(Reason.PROVIDER_REFUSED, "The payment did not match the order; it is given back.")
            return Transition(
                _moved(order, now, stage=Stage.UNDOING, payment=payment, failure=wrong),
                "payment.mismatched",
                {**facts, "captured": str(payment.captured), "total": str(order.total)},
            )
        case PaymentState.DECLINED:
            declined = Failure(
                Reason.PAYMENT_DECLINED, payment.decline_message or "The card was declined.", payment.decline_code
            )
            return _failed(replace(order, payment=payment), now, declined)
        case PaymentState.CANCELLED:
            expired = order.failure or Failure(Reason.PAYMENT_DECLINED, "The payment was given up before it was made.")
            return _failed(replace(order, payment=payment), now, expired)
        case PaymentState.ACTION_REQUIRED:
            return _await_customer(order, payment, now, action_seconds)
        case PaymentState.PENDING:
            return _retry(replace(order, payment=payment), now, Unknown("the payment is still under way"), Step.CHARGE)
        case _:
            assert_never(payment.state)


def after_cancel(order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime) -> Transition:
    """End an order whose payment was given up, or find that its money had moved after all and go on to refund it."""
    match outcome:
        case Done(payment) if _money_taken(payment):
            return Transition(
                _moved(order, now, payment=payment),
                "payment.late",
                {"payment_id": payment.payment_id, "captured": str(payment.captured)},
            )
        case Done(payment) if payment.state in {PaymentState.CANCELLED, PaymentState.DECLINED}:
            return _failed(replace(order, payment=payment), now, _known_failure(order))
        case Done(payment):
            return _retry(replace(order, payment=payment), now, Unknown("not cancelled yet"), Step.CANCEL_PAYMENT)
        case NotDone(refusal):
            return _parked(order, now, refusal, Step.CANCEL_PAYMENT)
        case Unknown():
            return _retry(order, now, outcome, Step.CANCEL_PAYMENT)


def after_refund(order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime) -> Transition:
    """End an order whose money went back; a refund that is refused for good is a person's to look at."""
    match outcome:
        case Done(payment) if not _money_taken(payment):
            return _failed(replace(order, payment=payment), now, _known_failure(order))
        case Done(payment):
            return _retry(replace(order, payment=payment), now, Unknown("not refunded yet"), Step.REFUND)
        case NotDone(refusal):
            return _parked(order, now, refusal, Step.REFUND)
        case Unknown():
            return _retry(order, now, outcome, Step.REFUND)


def failure_of(refusal: Refusal) -> Failure:
    """Return what an order keeps of a refusal."""
    named = refusal.fields[0].field if refusal.fields else ""
    return Failure(refusal.reason, refusal.message, refusal.metadata.get("declineCode", ""), named)


def retry_seconds(tries: int) -> float:
    """Return the wait before the next try, in seconds: doubling from 0.2 to 30."""
    return min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0 ** min(tries, 10))


def _money_taken(payment: Payment | None) -> bool:
    return payment is not None and payment.captured.minor_units > payment.refunded.minor_units


def _known_failure(order: Order) -> Failure:
    return order.failure or Failure(Reason.PROVIDER_REFUSED, "The order could not be completed; nothing stays charged.")


def _await_customer(order: Order, payment: Payment, now: datetime, action_seconds: float) -> Transition:
    expires_at = order.expires_at or now + timedelta(seconds=action_seconds)
    facts = {"payment_id": payment.payment_id, "provider_payment_id": payment.provider_payment_id}
    if now >= expires_at:
        late = Failure(Reason.PAYMENT_DECLINED, "The payment was not confirmed in time.", "authentication_expired")
        moved = _moved(order, now, stage=Stage.UNDOING, state=State.PENDING, payment=payment, failure=late)
        return Transition(moved, "payment.expired", facts)
    waiting = _moved(
        order,
        now,
        stage=Stage.AWAITING_CUSTOMER,
        state=State.PAYMENT_ACTION_REQUIRED,
        payment=payment,
        expires_at=expires_at,
        tries=order.tries + 1 if order.stage is Stage.AWAITING_CUSTOMER else 0,
    )
    poll = min(_LONGEST_POLL_SECONDS, _FIRST_POLL_SECONDS * 2.0 ** min(waiting.tries, 10))
    kind = "payment.action_required" if order.stage is Stage.CHARGING else "payment.polled"
    return Transition(waiting, kind, facts, wake_at=min(now + timedelta(seconds=poll), expires_at))


def _failed(order: Order, now: datetime, failure: Failure) -> Transition:
    moved = _moved(order, now, stage=Stage.SETTLED, state=State.FAILED, failure=failure, expires_at=None)
    facts = {"reason": failure.reason.value}
    if failure.decline_code:
        facts["decline_code"] = failure.decline_code
    return Transition(moved, "order.failed", facts)


def _retry(order: Order, now: datetime, outcome: Unknown, step: Step) -> Transition:
    seconds = max(retry_seconds(order.tries), outcome.retry_after or 0.0)
    later = _moved(order, now, tries=order.tries + 1)
    return Transition(later, f"{step}.retried", {"cause": outcome.cause}, wake_at=now + timedelta(seconds=seconds))


def _parked(order: Order, now: datetime, refusal: Refusal, step: Step) -> Transition:
    return Transition(_moved(order, now, needs_review=True), f"{step}.refused", {"reason": refusal.reason.value})


def _moved(order: Order, now: datetime, **changes: object) -> Order:
    """Return the order one version on; a new stage starts counting its tries anew."""
    tries = 0 if changes.get("stage", order.stage) is not order.stage else order.tries
    merged: dict[str, object] = {"tries": tries, **changes, "version": order.version + 1, "updated_at": now}
    return replace(order, **merged)  # type: ignore[arg-type]  # the callers above name fields of Order
