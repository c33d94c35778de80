"""The saga of placing an order: which step comes next, and what its outcome makes of the order.

Deciding is pure and happens here; doing belongs to the ports; the loop that joins them is app/driver.py. Recovery is
the same loop entered again with the order as it was last committed.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain.hold import held, taken
from order_svc.domain.order import Failure, Order, Stage, State
from order_svc.domain.payment import Payment, PaymentState
from order_svc.domain.step import FINAL_REASONS, OUTDATED, Refunded, Step, hindered, outdated
from order_svc.domain.task import NewTask, TaskKind
from order_svc.domain.tax import Tax
from order_svc.domain.transition import (
    Transition,
    declined_at_once,
    failed,
    held_in_full,
    moved,
    paid,
    paid_in_full,
    parked,
    payment_facts,
    quietly,
    refund_failed,
    retried,
    undone,
)

# How often a payment that waits for its customer is looked at: webhooks may be lost, and the customer looks at a
# spinner.
_FIRST_POLL_SECONDS = 1.0
_LONGEST_POLL_SECONDS = 30.0

# When a customer who has not acted is written to: whoever still sits before the shop's page needs no mail.
_REMINDER = timedelta(minutes=5)


STEPS = {
    Stage.QUOTING: Step.QUOTE_TAX,
    Stage.CHARGING: Step.CHARGE,
    Stage.AWAITING_CUSTOMER: Step.READ_PAYMENT,
    Stage.HOLDING: Step.READ_HOLD,
    Stage.CAPTURING: Step.CAPTURE,
    Stage.REFUNDING: Step.GIVE_BACK,
    Stage.CATCHING_UP: Step.CATCH_UP,
    Stage.UNDOING: Step.CANCEL_PAYMENT,
    Stage.SETTLED: None,
}

LEADS_TO: dict[Stage, frozenset[Stage]] = {
    Stage.QUOTING: frozenset({Stage.CHARGING, Stage.SETTLED}),
    Stage.CHARGING: frozenset(
        {Stage.AWAITING_CUSTOMER, Stage.HOLDING, Stage.CATCHING_UP, Stage.UNDOING, Stage.SETTLED}
    ),
    Stage.AWAITING_CUSTOMER: frozenset({Stage.HOLDING, Stage.CATCHING_UP, Stage.UNDOING, Stage.SETTLED}),
    Stage.HOLDING: frozenset({Stage.CATCHING_UP, Stage.SETTLED}),
    Stage.CAPTURING: frozenset({Stage.CATCHING_UP, Stage.SETTLED}),
    Stage.REFUNDING: frozenset({Stage.SETTLED}),
    Stage.CATCHING_UP: frozenset({Stage.SETTLED}),
    Stage.UNDOING: frozenset({Stage.CATCHING_UP, Stage.SETTLED}),
    Stage.SETTLED: frozenset(),
}
"""Where the outcome of a stage's step can take an order next, beside staying; commands and news take it elsewhere too.

docs/concepts.md draws it, and tests hold the saga to it.
"""


def next_step(order: Order) -> Step | None:
    """Return what has to be done next, or None when the saga is over."""
    # Of an order that is being cancelled whatever was taken was taken in time: it stays.
    undone_by_refund = order.stage is Stage.UNDOING and not order.cancelling and _money_taken(order.payment)
    return Step.REFUND if undone_by_refund else STEPS[order.stage]


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
        case NotDone(refusal) if refusal.reason in FINAL_REASONS:
            return failed(order, now, failure_of(refusal))
        case NotDone(refusal):
            return hindered(order, now, refusal, Step.QUOTE_TAX, luck)
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
        case Done(payment) if outdated(order, payment):
            return retried(order, now, OUTDATED, step, luck)
        case Done(payment) if payment.state is PaymentState.PENDING:
            return _retried_with(order, payment, now, "the payment is still under way", step, luck)
        case Done(payment):
            return _with_payment(order, payment, now, action_seconds, step)
        case NotDone(refusal) if refusal.reason not in FINAL_REASONS:
            return hindered(order, now, refusal, step, luck)
        case NotDone(refusal) if _method_refused(order, refusal):
            refused = replace(_known(order), decline_code=refusal.reason.value.lower(), decline_message=refusal.message)
            return _await_customer(order, replace(refused, state=PaymentState.DECLINED), now, action_seconds)
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
    """End an order whose payment was given up, or find that its money had moved after all.

    An order that failed goes on to refund it; one that was to be cancelled came too late, and is paid.

    Args:
        order: UNDOING.
        outcome: The payment as it stands.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    match outcome:
        case Done(payment) if outdated(order, payment):
            return retried(order, now, OUTDATED, Step.CANCEL_PAYMENT, luck)
        case Done(payment) if order.cancelling and paid_in_full(order, payment):
            # Held money is taken for shipments, and none waits: somebody has taken it at Stripe.
            was_held = order.state not in {State.PENDING, State.PAYMENT_ACTION_REQUIRED}
            return taken(replace(order, cancelling=False), payment, now) if was_held else paid(order, payment, now)
        case Done(payment) if _money_taken(payment) and order.cancelling:
            wrong = Failure(Reason.PROVIDER_REFUSED, "The payment did not match the order; it is given back.")
            return undone(replace(order, cancelling=False), payment, now, wrong, "payment.mismatched", {})
        case Done(payment) if _money_taken(payment):
            late = moved(order, now, payment=payment)
            return Transition(late, "payment.late", {**payment_facts(payment), "captured": str(payment.captured)})
        case Done(payment) if payment.state in {PaymentState.CANCELLED, PaymentState.SUCCEEDED}:
            # Succeeded with nothing left of it: somebody gave the money back already.
            return _given_up(order, payment, now)
        case Done(payment):
            return _retried_with(order, payment, now, "not cancelled yet", Step.CANCEL_PAYMENT, luck)
        case NotDone(refusal):
            return hindered(order, now, refusal, Step.CANCEL_PAYMENT, luck)
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
        case Done(refunded) if outdated(order, refunded.payment):
            return retried(order, now, OUTDATED, Step.REFUND, luck)
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
            return hindered(order, now, refusal, Step.REFUND, luck)
        case Unknown():
            return retried(order, now, outcome, Step.REFUND, luck)


def cancelled(order: Order, now: datetime, payment: Payment | None) -> Transition:
    """End an order that the shop has cancelled, and of which nothing was taken."""
    over = moved(
        order, now, stage=Stage.SETTLED, state=State.CANCELLED, payment=payment, cancelling=False, expires_at=None
    )
    facts = {} if payment is None else payment_facts(payment)
    return Transition(over, "order.cancelled", facts, (NewTask(TaskKind.SEND_CANCELLED),), ends=True)


def failure_of(refusal: Refusal) -> Failure:
    """Return what an order keeps of a refusal."""
    named = refusal.fields[0].field if refusal.fields else ""
    return Failure(refusal.reason, refusal.message, refusal.metadata.get("declineCode", ""), named)


def _with_payment(order: Order, payment: Payment, now: datetime, action_seconds: float, step: Step) -> Transition:
    """Take in a payment that is not under way any more, or that waits for the customer."""
    match payment.state:
        case PaymentState.SUCCEEDED if paid_in_full(order, payment):
            return paid(order, payment, now)
        case PaymentState.AUTHORIZED if held_in_full(order, payment):
            return held(order, payment, now)
        case PaymentState.SUCCEEDED | PaymentState.AUTHORIZED:
            # Money moved, and not as this order says: it goes back. Written down before it is done.
            wrong = Failure(Reason.PROVIDER_REFUSED, "The payment did not match the order; it is given back.")
            facts = {"captured": str(payment.captured), "total": str(order.total)}
            return undone(order, payment, now, wrong, "payment.mismatched", facts)
        case PaymentState.DECLINED if order.terms.keep_after_decline:
            return _await_customer(order, payment, now, action_seconds)
        case PaymentState.DECLINED if step is Step.READ_PAYMENT:
            # The customer's browser could still pay with another card: the payment is given up before the order is.
            return undone(order, payment, now, _declined(payment), "payment.declined", {})
        case PaymentState.DECLINED:
            return declined_at_once(order, payment, now, _declined(payment))
        case PaymentState.CANCELLED:
            given_up = Failure(Reason.PAYMENT_DECLINED, "The payment was given up before it was made.")
            return failed(replace(order, payment=payment), now, given_up)
        case _:
            return _await_customer(order, payment, now, action_seconds)


def _await_customer(order: Order, payment: Payment, now: datetime, action_seconds: float) -> Transition:
    declined = payment.state is PaymentState.DECLINED
    expires_at = order.expires_at or now + timedelta(seconds=action_seconds)
    if now >= expires_at:
        late = Failure(Reason.PAYMENT_DECLINED, "The payment was not confirmed in time.", "authentication_expired")
        return undone(order, payment, now, _declined(payment) if declined else late, "payment.expired", {})
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
    wake_at = min(now + timedelta(seconds=poll), expires_at)
    kind = "payment.declined" if declined else "payment.polled" if polled else "payment.action_required"
    facts = {**payment_facts(payment), **({"decline_code": payment.decline_code} if declined else {})}
    rests = quietly(order, waiting, kind, facts, wake_at)
    return rests if polled else replace(rests, tasks=(_reminder(order, declined=declined),))


def _reminder(order: Order, *, declined: bool) -> NewTask:
    """Return the mail that asks the customer to act, one per attempt; who is not there is written to at once."""
    kind = TaskKind.SEND_PAYMENT_FAILED if declined else TaskKind.SEND_ACTION_REQUIRED
    return NewTask(kind, order.attempt, timedelta() if order.terms.off_session else _REMINDER)


def _declined(payment: Payment) -> Failure:
    message = payment.decline_message or "The card was declined."
    return Failure(Reason.PAYMENT_DECLINED, message, payment.decline_code)


def _method_refused(order: Order, refusal: Refusal) -> bool:
    """Say whether another payment method cannot be used, where the order is to outlive that."""
    methods = {Reason.PAYMENT_METHOD_INVALID, Reason.PAYMENT_DECLINED}
    return refusal.reason in methods and order.terms.keep_after_decline and order.payment is not None


def _known(order: Order) -> Payment:
    assert order.payment is not None, "an attempt before this one was answered"
    return order.payment


def _given_up(order: Order, payment: Payment, now: datetime) -> Transition:
    """End an order of whose payment nothing is left; one that had ended before stays what it was."""
    if order.given_up:
        over = moved(order, now, stage=Stage.SETTLED, payment=payment)
        return Transition(over, "payment.undone", {**payment_facts(payment), "refunded": str(payment.refunded)})
    if order.cancelling:
        return cancelled(order, now, payment)
    return failed(replace(order, payment=payment), now, _known_failure(order))


def _retried_with(order: Order, payment: Payment, now: datetime, cause: str, step: Step, luck: float) -> Transition:
    return retried(order, now, Unknown(cause), step, luck, payment=payment)


def _money_taken(payment: Payment | None) -> bool:
    return payment is not None and payment.captured.minor_units > payment.refunded.minor_units


def _known_failure(order: Order) -> Failure:
    return order.failure or Failure(Reason.PROVIDER_REFUSED, "The order could not be completed; nothing stays charged.")
