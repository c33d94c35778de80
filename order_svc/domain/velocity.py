"""How often one customer may order, and have cards declined, within an hour: whoever tries out stolen cards does both.

Pure: which counts an order has to stay below, and what is said when it does not. Counting belongs to `Orders`, in the
commit that would make the count larger.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from math import ceil

from kernel.errors import FieldViolation, Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain.draft import Customer
from order_svc.domain.order import Order, Stage
from order_svc.domain.payment import Payment, PaymentState
from order_svc.domain.step import outdated
from order_svc.domain.transition import Transition

# Long enough that a pause between two bursts does not pay, short enough that a customer who mistyped is not shut out
# for a day.
WINDOW = timedelta(hours=1)


class Counted(StrEnum):
    """What is counted."""

    ORDERS = "orders"
    DECLINES = "declines"
    GUEST_DECLINES = "guest_declines"


@dataclass(frozen=True, slots=True)
class Bound:
    """A count that has to be below its limit for an order to be taken, or another card.

    Attributes:
        counted: What is counted.
        subject: Whose: a customer's id where orders are counted, else what `subjects` returns.
        most: How many there may be within WINDOW.
        field: The field of PlaceOrder that says whose it is.
    """

    counted: Counted
    subject: str
    most: int
    field: str


@dataclass(frozen=True, slots=True)
class Velocity:
    """The limits; 0 is none.

    Attributes:
        orders: Of one customer id.
        declines: Of one customer id, and of one e-mail address.
        guest_declines: Of all customers together whom one caller names no saved customer for.
    """

    orders: int = 0
    declines: int = 0
    guest_declines: int = 0

    def of_order(self, order: Order) -> tuple[Bound, ...]:
        """Return the counts that a new order depends on."""
        customer = order.draft.customer
        orders = Bound(Counted.ORDERS, customer.customer_id, self.orders, "customer.customer_id")
        return (*((orders,) if self.orders else ()), *self.of_card(order))

    def of_card(self, order: Order) -> tuple[Bound, ...]:
        """Return the counts that another card for an order depends on."""
        most = {Counted.DECLINES: self.declines, Counted.GUEST_DECLINES: self.guest_declines}
        return tuple(
            Bound(counted, subject, most[counted], field)
            for counted, subject, field in _counts(order.caller, order.draft.customer)
            if most[counted]
        )


UNLIMITED = Velocity()


def subjects(order: Order) -> tuple[str, ...]:
    """Return under which names a declined card of the order counts: 64 characters each, no personal data."""
    return tuple(subject for _, subject, _ in _counts(order.caller, order.draft.customer))


def with_decline(
    order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown, transition: Transition
) -> Transition:
    """Return the move that an answer about a charge makes, marked where the answer tells of a card declined just now.

    Args:
        order: Before the move.
        outcome: The answer.
        transition: The move.
    """
    return replace(transition, declined=True) if _declined_now(order, outcome) else transition


def refusal_of(bound: Bound, oldest: datetime, now: datetime) -> Refusal:
    """Return what somebody hears who has reached a limit.

    Args:
        bound: The limit.
        oldest: When the first of those that count came.
        now: The time.
    """
    said = {
        Counted.ORDERS: f"has placed {bound.most} orders",
        Counted.DECLINES: f"has had {bound.most} cards declined",
        Counted.GUEST_DECLINES: f"is one of your guests, who have had {bound.most} cards declined",
    }[bound.counted]
    return Refusal(
        Reason.CUSTOMER_LIMIT_REACHED,
        f"The customer {said} within an hour, and may not have more. Nothing was begun; try again later.",
        metadata={
            "limit": bound.counted.value,
            "most": str(bound.most),
            "withinSeconds": f"{WINDOW.total_seconds():.0f}",
        },
        fields=(FieldViolation(bound.field, said),),
        # Whole seconds, as Retry-After has them: a moment earlier it would be refused again.
        retry_after=float(max(1, ceil((oldest + WINDOW - now).total_seconds()))),
    )


def _declined_now(order: Order, outcome: Done[Payment] | NotDone[Refusal] | Unknown) -> bool:
    match outcome:
        case Done(payment) if payment.state is PaymentState.DECLINED and not outdated(order, payment):
            # A payment that waits for another card is looked at again and again, and stays declined.
            known = order.payment is not None and order.payment.state is PaymentState.DECLINED
            return not (known and order.stage is Stage.AWAITING_CUSTOMER)
        case NotDone(refusal):
            return refusal.reason is Reason.PAYMENT_DECLINED
        case _:
            return False


def _counts(caller: str, customer: Customer) -> tuple[tuple[Counted, str, str], ...]:
    """Return what a declined card counts as: what, whose, and the field that says so."""
    counts = (
        (Counted.DECLINES, _name("customer", customer.customer_id), "customer.customer_id"),
        (Counted.DECLINES, _name("email", _same(customer.email)), "customer.email"),
    )
    if customer.provider_customer_id:
        return counts
    return (*counts, (Counted.GUEST_DECLINES, _name("guests", caller), "customer.provider_customer_id"))


def _same(email: str) -> str:
    """Return an address without what does not change whose it is: case, and what follows a plus."""
    local, _, domain = email.strip().casefold().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _name(kind: str, value: str) -> str:
    # Of one length, and not to be read: the table of declines is nobody's address book.
    return sha256(f"{kind}\0{value}".encode()).hexdigest()
