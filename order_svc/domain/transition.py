"""Moves of an order: what is committed as one, and the few ways in which an order moves at all.

Which of them is taken, and when, is decided in saga.py, news.py and retry.py.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kernel.errors import Reason
from kernel.money import Money
from kernel.outcome import Unknown
from order_svc.domain.draft import CaptureMode
from order_svc.domain.order import Failure, Order, Stage, State
from order_svc.domain.payment import Payment
from order_svc.domain.task import NewTask, TaskKind


@dataclass(frozen=True, slots=True)
class Transition:
    """A move of the order, to be committed as one.

    Attributes:
        order: The order afterwards, its fence one higher; its version as well, unless nobody has to know.
        kind: The journal's word for it; empty when nobody has to know.
        facts: What the journal keeps; never personal data.
        tasks: Work that follows, stored in the same commit.
        wake_at: When the saga goes on; None when it goes on at once or never.
        parked: The saga does not go on by itself: a person has to look at the order first.
        ends: The order has come to the state that it ends in.
        declined: It tells of a card that was declined just now, which counts against its customer.
    """

    order: Order
    kind: str
    facts: dict[str, str]
    tasks: tuple[NewTask, ...] = ()
    wake_at: datetime | None = None
    parked: bool = False
    ends: bool = False
    declined: bool = False

    @property
    def rests(self) -> bool:
        """Say whether the saga does not go on at once."""
        return self.parked or self.wake_at is not None


# The first retry is soon enough that a caller who still waits sees it; the cap is low enough that an order goes on
# within half a minute of a provider's return.
_FIRST_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 30.0

# A bank that sent money back does so again until somebody has acted: an account that was closed, a card that expired.
# Providers charge for refunds that fail, and a customer reads of each.
_REFUND_AGAIN = timedelta(days=1)


def retry_seconds(tries: int, luck: float) -> float:
    """Return the wait before the next try, in seconds: doubling from 0.2 to 30, at most half of it taken off by luck.

    Args:
        tries: Made so far.
        luck: 0 to 1; keeps orders that failed together from coming back together.
    """
    return min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0 ** min(tries, 10)) * (0.5 + 0.5 * luck)


def moved(order: Order, now: datetime, *, told: bool = True, **changes: object) -> Order:
    """Return the order one write on; a new stage counts its tries anew and needs nobody's review yet."""
    merged: dict[str, object] = {**changes, "fence": order.fence + 1}
    if changes.get("stage", order.stage) is not order.stage:
        merged = {"tries": 0, "needs_review": False, **merged}
    if told:
        merged.update(version=order.version + 1, updated_at=now)
    return replace(order, **merged)  # type: ignore[arg-type]  # the callers name fields of Order


def quietly(before: Order, after: Order, kind: str, facts: dict[str, str], wake_at: datetime) -> Transition:
    """Return a move to be continued later, without a word for the journal when nobody has to know."""
    told = after.version > before.version
    return Transition(after, kind if told else "", facts if told else {}, wake_at=wake_at)


def retried(order: Order, now: datetime, outcome: Unknown, step: str, luck: float, **changes: object) -> Transition:
    """Try again later. The 1st, 2nd, 4th, 8th … try is told: an outage of a day must not fill the journal."""
    seconds = max(retry_seconds(order.tries, luck), outcome.retry_after or 0.0)
    tries = order.tries + 1
    told = not tries & order.tries or any(getattr(order, name) != value for name, value in changes.items())
    later = moved(order, now, told=told, tries=tries, **changes)
    facts = {"cause": outcome.cause, "tries": str(tries)}
    return quietly(order, later, f"{step}.retried", facts, now + timedelta(seconds=seconds))


def parked(order: Order, now: datetime, reason: Reason, step: str, **facts: str) -> Transition:
    """Leave the order to a person: the step cannot be done, and repeating it would not help."""
    return Transition(
        moved(order, now, needs_review=True), f"{step}.refused", {"reason": reason.value, **facts}, parked=True
    )


def failed(order: Order, now: datetime, failure: Failure) -> Transition:
    """End an order of which nothing was charged, or nothing is any more."""
    ended = moved(order, now, stage=Stage.SETTLED, state=State.FAILED, failure=failure, expires_at=None)
    return Transition(ended, "order.failed", _why(failure), _told_by_mail(order), ends=True)


def declined_at_once(order: Order, payment: Payment, now: datetime, failure: Failure) -> Transition:
    """End an order whose card was declined, and give its payment up behind the answer.

    As long as Stripe would still take another card for it, money could come that nobody waits for any more.
    """
    undoing = moved(order, now, stage=Stage.UNDOING, state=State.FAILED, payment=payment, failure=failure)
    return Transition(undoing, "order.failed", _why(failure), _told_by_mail(order), wake_at=now, ends=True)


def undone(
    order: Order, payment: Payment, now: datetime, failure: Failure, kind: str, facts: dict[str, str]
) -> Transition:
    """Write down that the order fails, before what its payment left behind is taken back."""
    # Of an order that was further already it is not said that it waits for its payment again.
    state = State.PENDING if order.state is State.PAYMENT_ACTION_REQUIRED else order.state
    undoing = moved(order, now, stage=Stage.UNDOING, state=state, payment=payment, failure=failure, expires_at=None)
    return Transition(undoing, kind, {**payment_facts(payment), "reason": failure.reason.value, **facts})


def refund_failed(order: Order, payment: Payment, now: datetime) -> Transition:
    """Take in that the money did not reach the customer: a person is told, and it is sent again, as a new refund.

    The new refund's number is committed here, before anybody could ask for it. The order is given up from here on: it
    will never be paid, and who asks for it need not wait for a bank.
    """
    undoing = moved(
        order,
        now,
        stage=Stage.UNDOING,
        state=order.state if order.given_up else State.FAILED,
        payment=payment,
        needs_review=True,
        refund_number=order.refund_number + 1,
        tries=0,
    )
    facts = {**payment_facts(payment), "kept": str(payment.kept), "refund": str(order.refund_number)}
    if not order.given_up:
        facts["ended"] = State.FAILED.value
    tasks = () if order.given_up else _told_by_mail(order)
    return Transition(undoing, "refund.failed", facts, tasks, now + _REFUND_AGAIN, ends=not order.given_up)


def payment_facts(payment: Payment) -> dict[str, str]:
    """Return what the journal keeps of every payment."""
    return {"payment_id": payment.payment_id, "provider_payment_id": payment.provider_payment_id}


def as_taken(payment: Payment) -> tuple[Stage, Payment]:
    """Return the stage of an order whose money was taken, and the payment as it was at that moment.

    Somebody may have given of it back at Stripe by now, or a bank may dispute it. That is a move of its own, whose news
    may have been acknowledged before: it is left to be caught up with, which survives the end of this process.
    """
    if not (payment.refunds or payment.disputes or payment.refunded.minor_units):
        return Stage.SETTLED, payment
    nothing = Money.zero(payment.amount.currency_code)
    then = replace(payment, refunded=nothing, refunds=(), disputes=(), version=payment.version_before)
    return Stage.CATCHING_UP, then


def paid(order: Order, payment: Payment, now: datetime) -> Transition:
    """Take in that all of the money was taken, at once."""
    stage, then = as_taken(payment)
    settled = moved(order, now, stage=stage, state=State.PAID, payment=then, expires_at=None, cancelling=False)
    tasks = (NewTask(TaskKind.COMMIT_TAX), NewTask(TaskKind.SEND_CONFIRMATION))
    return Transition(settled, "payment.charged", payment_facts(payment), tasks, ends=True)


def paid_in_full(order: Order, payment: Payment) -> bool:
    """Say whether a payment is what the order asks for, taken and all of it here."""
    return payment.captured == order.total and not payment.refunded.minor_units


def held_in_full(order: Order, payment: Payment) -> bool:
    """Say whether a payment is what the order asks for, held until the goods are shipped."""
    return order.terms.capture is CaptureMode.ON_SHIPMENT and payment.amount == order.total


def _told_by_mail(order: Order) -> tuple[NewTask, ...]:
    """Return the mail for a customer who does not sit before the answer; the others read it there."""
    answered = order.stage in {Stage.QUOTING, Stage.CHARGING}
    return () if answered and not order.terms.off_session else (NewTask(TaskKind.SEND_PAYMENT_FAILED),)


def _why(failure: Failure) -> dict[str, str]:
    declined = {"decline_code": failure.decline_code} if failure.decline_code else {}
    return {"reason": failure.reason.value, **declined}
