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
        order: The order afterwards, its fence one higher; its version as well, unless nobody has to know.
        kind: The journal's word for it; empty when nobody has to know.
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


# What payment_svc and tax_svc refuse for good, because of what was asked. Any other refusal is about the call (too
# late, not allowed, too busy, a key used twice): it says nothing about an earlier try, and is no reason to fail an
# order.
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
        case Done(tax) if tax.amount.currency_code != order.draft.currency_code or tax.amount.minor_units < 0:
            return _retry(order, now, Unknown(f"{tax.amount} cannot be the tax"), Step.QUOTE_TAX)
        case Done(tax):
            return Transition(
                _moved(order, now, stage=Stage.CHARGING, tax=tax),
                "tax.quoted",
                {"source": tax.source.value, "tax": str(tax.amount)},
            )
        case NotDone(refusal) if refusal.reason in _FINAL_REASONS:
            return _failed(order, now, failure_of(refusal))
        case NotDone(refusal):
            return _retry(order, now, _about_the_call(refusal), Step.QUOTE_TAX)
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
    step = Step.READ_PAYMENT if order.stage is Stage.AWAITING_CUSTOMER else Step.CHARGE
    match outcome:
        case Done(payment):
            return _with_payment(order, payment, now, action_seconds, step)
        case NotDone(refusal) if refusal.reason not in _FINAL_REASONS:
            return _retry(order, now, _about_the_call(refusal), step)
        case NotDone(refusal) if order.payment is not None:
            # An earlier answer told of a payment. It must not stay behind alive when the order fails.
            return _undone(order, order.payment, now, failure_of(refusal), f"{step}.refused", {})
        case NotDone(refusal):
            return _failed(order, now, failure_of(refusal))
        case Unknown():
            return _retry(order, now, outcome, step)


def _with_payment(order: Order, payment: Payment, now: datetime, action_seconds: float, step: Step) -> Transition:
    """Take in the payment as it stands."""
    match payment.state:
        case PaymentState.SUCCEEDED if payment.captured == order.total and not payment.refunded.minor_units:
            paid = _moved(order, now, stage=Stage.SETTLED, state=State.PAID, payment=payment, expires_at=None)
            tasks = (TaskKind.COMMIT_TAX, TaskKind.SEND_CONFIRMATION)
            return Transition(paid, "payment.charged", _payment_facts(payment), tasks)
        case PaymentState.SUCCEEDED | PaymentState.AUTHORIZED:
            # Money moved, and not as this order says: it goes back. Written down before it is done.
            wrong = Failure(Reason.PROVIDER_REFUSED, "The payment did not match the order; it is given back.")
            facts = {"captured": str(payment.captured), "total": str(order.total)}
            return _undone(order, payment, now, wrong, "payment.mismatched", facts)
        case PaymentState.DECLINED:
            message = payment.decline_message or "The card was declined."
            declined = Failure(Reason.PAYMENT_DECLINED, message, payment.decline_code)
            if step is Step.READ_PAYMENT:
                # The customer's browser could still pay with another card: the payment is given up before the order is.
                return _undone(order, payment, now, declined, "payment.declined", {})
            return _failed(replace(order, payment=payment), now, declined)
        case PaymentState.CANCELLED:
            given_up = Failure(Reason.PAYMENT_DECLINED, "The payment was given up before it was made.")
            return _failed(replace(order, payment=payment), now, given_up)
        case PaymentState.ACTION_REQUIRED:
            return _await_customer(order, payment, now, action_seconds)
        case PaymentState.PENDING:
            return _retry(order, now, Unknown("the payment is still under way"), step, payment)
        case _:
            assert_never(payment.state)


def after_cancel(order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime) -> Transition:
    """End an order whose payment was given up, or find that its money had moved after all and go on to refund it."""
    match outcome:
        case Done(payment) if _money_taken(payment):
            late = _moved(order, now, payment=payment)
            return Transition(late, "payment.late", {**_payment_facts(payment), "captured": str(payment.captured)})
        case Done(payment) if payment.state in {PaymentState.CANCELLED, PaymentState.SUCCEEDED}:
            # Succeeded with nothing left of it: somebody gave the money back already.
            return _failed(replace(order, payment=payment), now, _known_failure(order))
        case Done(payment):
            return _retry(order, now, Unknown("not cancelled yet"), Step.CANCEL_PAYMENT, payment)
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
            return _retry(order, now, Unknown("not refunded yet"), Step.REFUND, payment)
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


def _about_the_call(refusal: Refusal) -> Unknown:
    return Unknown(f"refused: {refusal.reason.value}", refusal.retry_after)


def _payment_facts(payment: Payment) -> dict[str, str]:
    return {"payment_id": payment.payment_id, "provider_payment_id": payment.provider_payment_id}


def _await_customer(order: Order, payment: Payment, now: datetime, action_seconds: float) -> Transition:
    expires_at = order.expires_at or now + timedelta(seconds=action_seconds)
    if now >= expires_at:
        late = Failure(Reason.PAYMENT_DECLINED, "The payment was not confirmed in time.", "authentication_expired")
        return _undone(order, payment, now, late, "payment.expired", {})
    polled = order.stage is Stage.AWAITING_CUSTOMER
    tries = order.tries + 1 if polled else 0
    waiting = _moved(
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
    return _transition(order, waiting, kind, _payment_facts(payment), wake_at)


def _undone(
    order: Order, payment: Payment, now: datetime, failure: Failure, kind: str, facts: dict[str, str]
) -> Transition:
    """Write down that the order fails, before what its payment left behind is taken back."""
    undoing = _moved(
        order, now, stage=Stage.UNDOING, state=State.PENDING, payment=payment, failure=failure, expires_at=None
    )
    return Transition(undoing, kind, {**_payment_facts(payment), "reason": failure.reason.value, **facts})


def _failed(order: Order, now: datetime, failure: Failure) -> Transition:
    moved = _moved(order, now, stage=Stage.SETTLED, state=State.FAILED, failure=failure, expires_at=None)
    facts = {"reason": failure.reason.value}
    if failure.decline_code:
        facts["decline_code"] = failure.decline_code
    return Transition(moved, "order.failed", facts)


def _retry(order: Order, now: datetime, outcome: Unknown, step: Step, payment: Payment | None = None) -> Transition:
    """Try again later. The 1st, 2nd, 4th, 8th … try is told: an outage of a day must not fill the journal."""
    seconds = max(retry_seconds(order.tries), outcome.retry_after or 0.0)
    tries = order.tries + 1
    payment = payment or order.payment
    told = not tries & order.tries or payment != order.payment
    later = _moved(order, now, told=told, tries=tries, payment=payment)
    facts = {"cause": outcome.cause, "tries": str(tries)}
    return _transition(order, later, f"{step}.retried", facts, now + timedelta(seconds=seconds))


def _parked(order: Order, now: datetime, refusal: Refusal, step: Step) -> Transition:
    return Transition(_moved(order, now, needs_review=True), f"{step}.refused", {"reason": refusal.reason.value})


def _transition(before: Order, after: Order, kind: str, facts: dict[str, str], wake_at: datetime) -> Transition:
    """Return a move to be continued later, without a word for the journal when nobody has to know."""
    told = after.version > before.version
    return Transition(after, kind if told else "", facts if told else {}, wake_at=wake_at)


def _moved(order: Order, now: datetime, *, told: bool = True, **changes: object) -> Order:
    """Return the order one write on; a new stage starts counting its tries anew."""
    tries = 0 if changes.get("stage", order.stage) is not order.stage else order.tries
    merged: dict[str, object] = {"tries": tries, **changes, "fence": order.fence + 1}
    if told:
        merged.update(version=order.version + 1, updated_at=now)
    return replace(order, **merged)  # type: ignore[arg-type]  # the callers above name fields of Order
