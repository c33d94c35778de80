"""Giving money back for a paid order, and keeping the order's own account of it equal to the payment's.

A refund is written down with its number before payment_svc is asked for it, so that it has the same key however often
it is repeated. Refunds that somebody made at Stripe are taken in as they are; one that the bank sends back is FAILED,
and a person says whether it is sent again.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain import shares
from order_svc.domain.hold import shipped_state
from order_svc.domain.order import Alert, Order, Stage, State
from order_svc.domain.payment import Payment, PaymentRefund, RefundState
from order_svc.domain.refund import Refund, RefundKind, counted_shares
from order_svc.domain.step import OUTDATED, Refunded, Step, hindered, outdated, passes
from order_svc.domain.task import NewTask, TaskKind
from order_svc.domain.transition import Transition, moved, payment_facts, retried

FAILED = "refund.failed"

REFUNDS_MADE = "refunds_made"
"""The fact of a journal entry that says which refunds Stripe was heard to have taken: their numbers, with blanks."""


def next_refund(order: Order) -> Refund:
    """Return the refund that payment_svc is to be asked for next; the order is REFUNDING, so there is one."""
    return next(refund for refund in order.refunds if refund.unanswered)


def left_to_refund(order: Order) -> tuple[shares.Share, ...]:
    """Return what of each line of a paid order was neither given back nor let go."""
    assert order.tax is not None, "a paid order has its tax"
    return shares.less(shares.whole(order.draft, order.tax), counted_shares(order.refunds))


def after_give_back(
    order: Order, outcome: Done[Refunded] | NotDone[Refusal] | Unknown, now: datetime, luck: float
) -> Transition:
    """Take in what came of the refund that was asked for.

    Args:
        order: REFUNDING.
        outcome: The refund, and the payment afterwards.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    asked = next_refund(order)
    match outcome:
        case Done(refunded) if outdated(order, refunded.payment):
            return retried(order, now, OUTDATED, Step.GIVE_BACK, luck)
        case Done(refunded):
            answered = _as_told(asked, refunded.refund)
            return _answered(order, refunded.payment, answered, now)
        case NotDone(refusal) if passes(refusal):
            return hindered(order, now, refusal, Step.GIVE_BACK, luck)
        case NotDone(refusal):
            return _refused(order, asked, refusal, now)
        case Unknown():
            return retried(order, now, outcome, Step.GIVE_BACK, luck)


def with_payment(order: Order, payment: Payment, now: datetime) -> Order:
    """Return the order, not moved yet, with its refunds as its payment has them: those made by hand, too."""
    known = {refund.refund_id: refund for refund in order.refunds if refund.refund_id}
    refunds = list(order.refunds)
    for told in payment.refunds:
        ours = known.get(told.refund_id)
        if ours is not None:
            refunds[ours.number - 1] = _as_told(ours, told)
        elif told.by_hand and told.state is not RefundState.FAILED:
            refunds.append(_by_hand(order, refunds, told, now))
    taken_in = replace(order, payment=payment, refunds=tuple(refunds))
    return replace(taken_in, alerts=(*order.alerts, *_failures(order.refunds, refunds, now)))


def follow_ups(order: Order) -> tuple[Order, tuple[NewTask, ...]]:
    """Return the order with every refund's paper work asked for, and that work.

    Not before Stripe has taken a refund: until then it may still be refused, and the customer would have read of money
    that never comes. That it has is news.
    """
    new = [refund for refund in order.refunds if refund.counts and not refund.booked and refund.provider_refund_id]
    tasks = [NewTask(kind, refund.number) for refund in new for kind in (TaskKind.REFUND_TAX, TaskKind.SEND_REFUNDED)]
    booked = tuple(replace(refund, booked=refund.booked or refund in new) for refund in order.refunds)
    return replace(order, refunds=booked), tuple(tasks)


def made_facts(tasks: Sequence[NewTask]) -> dict[str, str]:
    """Return the fact that names the refunds whose paper work `follow_ups` has asked for; nothing for none."""
    numbers = " ".join(str(each.number) for each in tasks if each.kind is TaskKind.SEND_REFUNDED)
    return {REFUNDS_MADE: numbers} if numbers else {}


def refunded_state(order: Order) -> State:
    """Return the state of a paid order with what was given back of it: REFUNDED once nothing is left.

    Where the articles that had not been shipped yet are what was given back, everything is on its way now.
    """
    if order.captured.minor_units > 0 and order.captured == order.refunded:
        return State.REFUNDED
    if order.state is State.PROCESSING and order.shipments:
        return shipped_state(order, order.shipments)
    return order.state


def newly_failed(before: Sequence[Refund], after: Sequence[Refund]) -> list[Refund]:
    """Return the refunds that have failed since."""
    failed = {refund.number for refund in before if not refund.counts}
    return [refund for refund in after if not refund.counts and refund.number not in failed]


def sent_again(order: Order) -> Order | None:
    """Return the order, not moved yet, with its latest refund to be sent once more; None unless that one has failed.

    An older one is left alone: the shop has asked for another since, which may have been in its place.
    """
    asked = [refund for refund in order.refunds if refund.kind is RefundKind.ASKED]
    if not asked or asked[-1].counts or not asked[-1].refund_id:
        return None
    last = asked[-1]
    again = replace(
        last, state=RefundState.PENDING, send=last.send + 1, refund_id="", provider_refund_id="", failure_reason=""
    )
    return replace(order, refunds=tuple(again if each is last else each for each in order.refunds))


def _answered(order: Order, payment: Payment, answered: Refund, now: datetime) -> Transition:
    refunds = tuple(answered if each.number == answered.number else each for each in order.refunds)
    told = with_payment(replace(order, refunds=refunds), payment, now)
    told = replace(told, alerts=(*order.alerts, *_failures(order.refunds, told.refunds, now)))
    told, tasks = follow_ups(told)
    facts = {
        **payment_facts(payment),
        "refund": str(answered.number),
        "amount": str(answered.amount),
        "provider_refund_id": answered.provider_refund_id,
        "refunded": str(payment.refunded),
        **made_facts(tasks),
    }
    # Until Stripe has taken it nobody is told that the money is on its way: the news of that does.
    made = "refund.succeeded" if answered.provider_refund_id else "refund.pending"
    kind = made if answered.counts else FAILED
    return _on(told, order, now, kind, facts, tasks)


def _refused(order: Order, asked: Refund, refusal: Refusal, now: datetime) -> Transition:
    """Note that this refund will not be: nothing was sent, and asking for it again would not help."""
    failed = replace(asked, state=RefundState.FAILED, failure_reason=refusal.reason.value.lower())
    refunds = tuple(failed if each is asked else each for each in order.refunds)
    alerts = (*order.alerts, _alert(failed, now))
    facts = {"refund": str(asked.number), "amount": str(asked.amount), "reason": refusal.reason.value}
    return _on(replace(order, refunds=refunds, alerts=alerts), order, now, FAILED, facts, ())


def _on(
    told: Order, before: Order, now: datetime, kind: str, facts: dict[str, str], tasks: tuple[NewTask, ...]
) -> Transition:
    stage, payment = _stands(told, before)
    state = refunded_state(told)
    ended = state is State.REFUNDED and before.state is not State.REFUNDED
    review = before.needs_review or bool(newly_failed(before.refunds, told.refunds))
    after = moved(told, now, stage=stage, payment=payment, state=state, needs_review=review, tries=0)
    return Transition(after, kind, facts, tasks, ends=ended)


def _stands(told: Order, before: Order) -> tuple[Stage, Payment | None]:
    """Return the stage after a refund was answered, and the payment as far as it was taken in: all but new disputes."""
    known, payment = before.payment, told.payment
    stage = Stage.REFUNDING if any(refund.unanswered for refund in told.refunds) else Stage.SETTLED
    if payment is None or known is None or payment.disputes == known.disputes:
        return stage, payment
    then = replace(payment, disputes=known.disputes, version=payment.version_before)
    return Stage.CATCHING_UP if stage is Stage.SETTLED else stage, then


def _as_told(ours: Refund, told: PaymentRefund) -> Refund:
    return replace(
        ours,
        state=told.state,
        refund_id=told.refund_id,
        provider_refund_id=told.provider_refund_id,
        failure_reason=told.failure_reason,
    )


def _by_hand(order: Order, refunds: Sequence[Refund], told: PaymentRefund, now: datetime) -> Refund:
    """Return a refund that somebody made at Stripe, shared out among what was left of the lines."""
    left = left_to_refund(replace(order, refunds=tuple(refunds)))
    worth = shares.total(left, told.amount.currency_code)
    if worth.minor_units < told.amount.minor_units:
        # Then Stripe will refuse what is asked for and it has not taken yet: its lines are free.
        there = tuple(each for each in refunds if each.provider_refund_id or each.kind is RefundKind.RELEASED)
        left = left_to_refund(replace(order, refunds=there))
        worth = shares.total(left, told.amount.currency_code)
    # More than the lines are worth can go back where they never knew of an earlier refund; no line pays for that.
    shared = Money(told.amount.currency_code, min(told.amount.minor_units, worth.minor_units))
    parts = shares.of_amount(shared, left) if worth.minor_units > 0 else ()
    new = Refund(len(refunds) + 1, RefundKind.BY_HAND, parts, told.amount, now)
    return _as_told(new, told)


def _failures(before: Sequence[Refund], after: Sequence[Refund], now: datetime) -> list[Alert]:
    return [_alert(refund, now) for refund in newly_failed(before, after)]


def _alert(refund: Refund, now: datetime) -> Alert:
    why = f" ({refund.failure_reason})" if refund.failure_reason else ""
    message = f"The refund of {refund.amount} has failed{why}; the customer does not have the money."
    return Alert(FAILED, str(refund.number), message, now)


def reason_to_refuse(amount: Money, refundable: Money) -> Refusal:
    """Return the refusal of a refund of more than is left."""
    return Refusal(
        Reason.REFUND_EXCEEDS_PAYMENT,
        f"{amount} cannot be given back: {refundable} is left.",
        metadata={"refundableMinorUnits": str(refundable.minor_units)},
    )
