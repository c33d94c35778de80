"""What an order makes of news of its payment: money that moved, came back or will not come back, unasked.

The order may be under way still, or over for months. Nothing here moves money: it is written down first, and the saga
(saga.py) goes on from there.
"""

from dataclasses import replace
from datetime import datetime

from order_svc.domain.order import Order, Payment, PaymentState, Stage
from order_svc.domain.transition import Transition, moved, payment_facts, refund_failed


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


def _of_one_under_way(order: Order, now: datetime) -> Transition | None:
    """Take the next step at once: it reads the payment for itself."""
    if order.needs_review:
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
    """Tell a person when the customer's money is not what the order says; what was meant, the rules cannot know."""
    known = order.payment
    if known is None or payment.kept == known.kept:
        return None
    told = moved(order, now, payment=replace(known, version=payment.version), needs_review=True)
    return Transition(told, "payment.differs", _facts(payment))


def _facts(payment: Payment) -> dict[str, str]:
    return {**payment_facts(payment), "captured": str(payment.captured), "refunded": str(payment.refunded)}
