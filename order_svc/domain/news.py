"""What an order makes of news of its payment: money that moved, came back or will not come back, unasked.

The order may be under way still, or over for months. Nothing here moves money: it is written down first, and the saga
(saga.py) goes on from there.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kernel.errors import Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain.order import Alert, Order, Stage
from order_svc.domain.payment import Dispute, Payment, PaymentState
from order_svc.domain.refund import RefundKind
from order_svc.domain.refunding import FAILED, follow_ups, made_facts, newly_failed, refunded_state, with_payment
from order_svc.domain.step import OUTDATED, Step, hindered, outdated
from order_svc.domain.task import NewTask
from order_svc.domain.transition import Transition, moved, payment_facts, refund_failed, retried

DISPUTED = "payment.disputed"

# Somebody has to answer the bank, and there is a date by which.
_TO_BE_ANSWERED = frozenset({"INQUIRY", "NEEDS_RESPONSE"})


def after_news(order: Order, payment: Payment, now: datetime) -> Transition | None:
    """Return what becomes of an order that nobody holds; None when there is nothing new in it.

    Args:
        order: As it stands.
        payment: Its payment as payment_svc has it now.
        now: The time.
    """
    if order.payment is not None and payment.version <= order.payment.version:
        return None
    match order.stage:
        case Stage.SETTLED if order.given_up:
            return _of_one_given_up(order, payment, now)
        case Stage.SETTLED:
            return _of_one_paid(order, payment, now)
        case Stage.UNDOING:
            return _of_one_undone(order, payment, now)
        case _:
            return _of_one_under_way(order, now)


def after_catching_up(
    order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime, luck: float
) -> Transition:
    """Take in what had happened to a payment already when its order became paid.

    Args:
        order: CATCHING_UP.
        outcome: The payment as it stands.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    match outcome:
        case Done(payment) if outdated(order, payment):
            return retried(order, now, OUTDATED, Step.CATCH_UP, luck)
        case Done(payment):
            settled = replace(order, stage=Stage.SETTLED, tries=0)
            # Without news after all, a refund by hand that has failed meanwhile, nobody has to know.
            nothing_new = Transition(moved(settled, now, told=False, payment=payment), "", {})
            return _of_one_paid(settled, payment, now) or nothing_new
        case NotDone(refusal):
            return hindered(order, now, refusal, Step.CATCH_UP, luck)
        case Unknown():
            return retried(order, now, outcome, Step.CATCH_UP, luck)


def _of_one_under_way(order: Order, now: datetime) -> Transition | None:
    """Take the next step at once: it reads the payment for itself."""
    if order.needs_review and order.stage not in {Stage.HOLDING, Stage.REFUNDING}:
        return None  # It waits for a person, whose word makes the step read the payment anew.
    return Transition(moved(order, now, told=False), "", {}, wake_at=now)


def _of_one_undone(order: Order, payment: Payment, now: datetime) -> Transition | None:
    """Go on at once where the payment stands otherwise than it did, even if the step before had been refused.

    Also what changes nothing is kept, so that an answer which is older, and still on its way, is known for what it is.
    """
    known = order.payment
    if known is not None and (known.kept, known.state) == (payment.kept, payment.state):
        heard = moved(order, now, told=False, payment=payment)
        return None if order.needs_review else Transition(heard, "", {}, wake_at=now)
    return Transition(moved(order, now, payment=payment), "payment.changed", _facts(payment), wake_at=now)


def _of_one_given_up(order: Order, payment: Payment, now: datetime) -> Transition | None:
    """Begin to give back what of the customer's money is here; the order's state stays what it is."""
    if not payment.kept.minor_units and payment.state is not PaymentState.AUTHORIZED:
        return None
    if order.payment is not None and payment.refunded.minor_units < order.payment.refunded.minor_units:
        return refund_failed(order, payment, now)
    # A number of its own also where no refund was ever made: numbers cost nothing, a key that is used twice might.
    number = order.refund_number + 1
    late = moved(order, now, stage=Stage.UNDOING, payment=payment, refund_number=number)
    return Transition(late, "payment.late", _facts(payment), wake_at=now)


def _of_one_paid(order: Order, payment: Payment, now: datetime) -> Transition | None:
    """Take in refunds that were made by hand or have failed, and disputes.

    Where the customer's money is still not what the order says, a person is told: what was meant, the rules cannot
    know.
    """
    known = order.payment
    if known is None:
        return None
    told = _with_disputes(with_payment(order, payment, now), known.disputes, now)
    if payment.kept != _kept(told):
        differs = moved(order, now, payment=replace(known, version=payment.version), needs_review=True)
        return Transition(differs, "payment.differs", _facts(payment))
    if (told.payment, told.refunds, told.alerts) == (known, order.refunds, order.alerts):
        return None
    told, tasks = follow_ups(told)
    failed = newly_failed(order.refunds, told.refunds)
    state = refunded_state(told)
    review = order.needs_review or bool(failed) or _calls_for_an_answer(payment.disputes, known.disputes)
    after = moved(told, now, state=state, needs_review=review)
    kind = _taken_in(told, tasks) if told.refunds != order.refunds else "payment.changed"
    if failed or payment.disputes != known.disputes:
        kind = FAILED if failed else DISPUTED
    return Transition(after, kind, {**_facts(payment), **made_facts(tasks)}, tasks, ends=state is not order.state)


def _taken_in(order: Order, tasks: Sequence[NewTask]) -> str:
    """Return what to call news of refunds: that they are made is told once, with the paper work that follows."""
    made = {order.refunds[task.number - 1].kind for task in tasks}
    if not made:
        return "refund.settled"
    return "refund.taken_in" if RefundKind.BY_HAND in made else "refund.succeeded"


def _kept(order: Order) -> Money:
    """Return what of the customer's money should be here: what was taken, less what the order's refunds took of it."""
    gone = Money.total(
        (each.amount for each in order.refunds if each.counts and each.refund_id), order.draft.currency_code
    )
    # A refund that Stripe will refuse, because somebody gave all back by hand, takes nothing more.
    return Money(gone.currency_code, max(0, (order.captured - gone).minor_units))


def _with_disputes(order: Order, known: Sequence[Dispute], now: datetime) -> Order:
    """Return the order with an alert for each dispute that is new or has changed, in place of the one before."""
    assert order.payment is not None, "it was taken in before"
    alerts = list(order.alerts)
    for dispute in order.payment.disputes:
        if dispute in known:
            continue
        alerts = [each for each in alerts if (each.kind, each.subject) != (DISPUTED, dispute.provider_dispute_id)]
        alerts.append(Alert(DISPUTED, dispute.provider_dispute_id, _told_of(dispute), now))
    return replace(order, alerts=tuple(alerts))


def _told_of(dispute: Dispute) -> str:
    due = dispute.evidence_due_at
    until = f"; evidence can be handed in at Stripe until {due:%Y-%m-%d %H:%M} UTC" if due else ""
    stands = dispute.state.lower().replace("_", " ")
    return f"The customer's bank disputes {dispute.amount} ({dispute.reason}): {stands}{until}."


def _calls_for_an_answer(disputes: Sequence[Dispute], known: Sequence[Dispute]) -> bool:
    return any(each.state in _TO_BE_ANSWERED and each not in known for each in disputes)


def _facts(payment: Payment) -> dict[str, str]:
    return {**payment_facts(payment), "captured": str(payment.captured), "refunded": str(payment.refunded)}
