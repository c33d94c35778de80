"""Money that is held until the goods are shipped: looking after the hold, and taking it with the first shipment.

A hold is taken once: the rest of it, if any, is let go at that moment. One that is not taken lapses by itself, after a
week as a rule; a day before that a person is told.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain import shares
from order_svc.domain.fulfilment import Shipment, unshipped
from order_svc.domain.order import Alert, Failure, Order, Stage, State
from order_svc.domain.payment import Payment, PaymentState, RefundState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.step import OUTDATED, Step, hindered, outdated
from order_svc.domain.task import NewTask, TaskKind
from order_svc.domain.transition import Transition, as_taken, failed, moved, payment_facts, quietly, retried

# Time enough for a shop to ship or to let go on a working day.
_NOTICE = timedelta(days=1)

# How long after its end a hold is looked at: Stripe says what became of it within minutes.
_AFTERWARDS = timedelta(minutes=1)
_AGAIN = timedelta(hours=1)

# How long a hold lasts where payment_svc does not say: Stripe's default for cards.
_USUAL_HOLD = timedelta(days=7)

EXPIRING = "hold.expiring"


def held(order: Order, payment: Payment, now: datetime) -> Transition:
    """Take in that the money is held: the order is confirmed, and waits for its shipment."""
    known = replace(payment, hold_expires_at=payment.hold_expires_at or now + _USUAL_HOLD)
    holding = moved(
        order, now, stage=Stage.HOLDING, state=State.AUTHORIZED, payment=known, expires_at=None, cancelling=False
    )
    facts = {**payment_facts(payment), "hold_expires_at": f"{known.hold_expires_at:%Y-%m-%dT%H:%M:%SZ}"}
    confirmation = (NewTask(TaskKind.SEND_CONFIRMATION),)
    return Transition(holding, "payment.authorized", facts, confirmation, wake_at=looked_at(holding, now), ends=True)


def looked_at(order: Order, now: datetime) -> datetime:
    """Return when a hold is looked at next: a day before it lapses, and once it has."""
    ends = (order.payment.hold_expires_at if order.payment else None) or now + _USUAL_HOLD
    return next((at for at in (ends - _NOTICE, ends + _AFTERWARDS) if at > now), now + _AGAIN)


def after_hold(
    order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime, luck: float
) -> Transition:
    """Take in what has become of a hold.

    Args:
        order: HOLDING.
        outcome: The payment as it stands.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    match outcome:
        case Done(payment) if outdated(order, payment):
            return retried(order, now, OUTDATED, Step.READ_HOLD, luck)
        case Done(payment) if payment.state is PaymentState.AUTHORIZED:
            return _still_held(order, payment, now)
        case Done(payment) if payment.state is PaymentState.CANCELLED:
            return _lapsed(order, payment, now)
        case Done(payment) if payment.state is PaymentState.SUCCEEDED:
            return taken(order, payment, now)
        case Done():
            return retried(order, now, Unknown("the hold is under way"), Step.READ_HOLD, luck)
        case NotDone(refusal):
            return hindered(order, now, refusal, Step.READ_HOLD, luck)
        case Unknown():
            return retried(order, now, outcome, Step.READ_HOLD, luck)


def capture_amount(order: Order) -> Money:
    """Return what of the hold is to be taken for the shipment that waits for it."""
    assert order.total is not None, "money is held for a total"
    return order.total - shares.total(_let_go(order), order.draft.currency_code)


def after_capture(
    order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, now: datetime, luck: float
) -> Transition:
    """Note the shipment whose money was taken; or that there is no money for it any more.

    Args:
        order: CAPTURING.
        outcome: The payment as it stands.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    match outcome:
        case Done(payment) if outdated(order, payment):
            return retried(order, now, OUTDATED, Step.CAPTURE, luck)
        case Done(payment) if payment.state is PaymentState.SUCCEEDED:
            return taken(order, payment, now)
        case Done(payment) if payment.state is PaymentState.CANCELLED:
            return _lapsed(order, payment, now)
        case Done():
            return retried(order, now, Unknown("not captured yet"), Step.CAPTURE, luck)
        case NotDone(refusal):
            return hindered(order, now, refusal, Step.CAPTURE, luck)
        case Unknown():
            return retried(order, now, outcome, Step.CAPTURE, luck)


def shipped_state(order: Order, shipments: tuple[Shipment, ...]) -> State:
    """Return the state of a paid order with these shipments: SHIPPED once nothing is left to ship."""
    given_back = [item for refund in order.refunds if refund.counts for item in refund.items]
    gone = Shipment(0, tuple(given_back))
    over = any(each.release_rest for each in shipments) or not unshipped(order.draft, (*shipments, gone))
    return State.SHIPPED if over else State.PROCESSING


def waiting_shipment(order: Order) -> Shipment | None:
    """Return the shipment that waits for its money."""
    last = order.shipments[-1] if order.shipments else None
    return last if last is not None and last.shipped_at is None else None


def _still_held(order: Order, payment: Payment, now: datetime) -> Transition:
    ends = payment.hold_expires_at or (order.payment.hold_expires_at if order.payment else None)
    payment = replace(payment, hold_expires_at=ends)
    noticed = any(alert.kind == EXPIRING for alert in order.alerts)
    if ends is None or now < ends - _NOTICE or noticed:
        same = moved(order, now, told=payment != order.payment, payment=payment, tries=0)
        return quietly(order, same, "payment.changed", payment_facts(payment), looked_at(same, now))
    message = f"The hold lapses at {ends:%Y-%m-%d %H:%M} UTC; ship the order, or cancel it."
    alerts = (*order.alerts, Alert(EXPIRING, payment.payment_id, message, now))
    told = moved(order, now, payment=payment, alerts=alerts, needs_review=True, tries=0)
    return Transition(told, EXPIRING, payment_facts(payment), wake_at=looked_at(told, now))


def _lapsed(order: Order, payment: Payment, now: datetime) -> Transition:
    """End an order whose hold is gone: nothing was taken, and nothing may be shipped for it."""
    shipped = tuple(each for each in order.shipments if each.shipped_at is not None)
    why = Failure(
        Reason.PAYMENT_DECLINED,
        "The hold on the money is gone, and nothing was taken. Do not ship.",
        "authorization_expired",
    )
    return failed(replace(order, payment=payment, shipments=shipped), now, why)


def taken(order: Order, payment: Payment, now: datetime) -> Transition:
    """Take in that money was taken of the hold: for the shipment that waited for it, or by somebody at Stripe."""
    assert order.total is not None, "money is held for a total"
    waiting = waiting_shipment(order)
    shipments = order.shipments if waiting is None else (*order.shipments[:-1], replace(waiting, shipped_at=now))
    state: State = State.PAID if order.state is State.AUTHORIZED else order.state
    tasks = [NewTask(TaskKind.COMMIT_TAX)]
    if waiting is not None:
        state = shipped_state(order, shipments)
        tasks.append(NewTask(TaskKind.SEND_SHIPPED, waiting.number))
    refunds = order.refunds
    if payment.captured != order.total:
        release = _release(order, payment, now)
        refunds = (*refunds, release)
        tasks.append(NewTask(TaskKind.REFUND_TAX, release.number))
    stage, then = as_taken(payment)
    taken = moved(order, now, stage=stage, state=state, payment=then, shipments=shipments, refunds=refunds)
    facts = {**payment_facts(payment), "captured": str(payment.captured)}
    if waiting is None:
        return Transition(taken, "payment.captured", facts, tuple(tasks), ends=True)
    return Transition(taken, "order.shipped", {**facts, "shipment": str(waiting.number)}, tuple(tasks), ends=True)


def _let_go(order: Order) -> tuple[shares.Share, ...]:
    """Return what of the order is not paid for, because nothing more of it will be shipped."""
    waiting = waiting_shipment(order)
    if waiting is None or not waiting.release_rest:
        return ()
    assert order.tax is not None, "money is held for a total"
    rest = unshipped(order.draft, order.shipments)
    left = shares.whole(order.draft, order.tax)
    let_go = shares.of_items(order.draft, order.tax, waiting.items, rest, left)
    return shares.payable(let_go, order.draft.currency_code)


def _release(order: Order, payment: Payment, now: datetime) -> Refund:
    """Return what was let go as a part of the sale that is taken back from its tax document."""
    assert order.tax is not None, "money is held for a total"
    released, parts = payment.released, _let_go(order)
    if shares.total(parts, order.draft.currency_code) != released:
        # Somebody took another amount at Stripe: what was let go is shared out among all lines.
        parts = shares.of_amount(released, shares.whole(order.draft, order.tax))
    return Refund(
        number=len(order.refunds) + 1,
        kind=RefundKind.RELEASED,
        shares=parts,
        amount=released,
        asked_at=now,
        state=RefundState.SUCCEEDED,
        booked=True,
    )
