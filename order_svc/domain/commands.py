"""What the shop may ask of an order, and when: one table, and what the commands make of the order.

Shipping and delivering are in shipping.py, refunds in giving_back.py. Nothing here moves money: what a command asks for
is written down first, and the saga does it.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from kernel.errors import Reason, Refusal
from order_svc.domain.hold import looked_at
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import PaymentState
from order_svc.domain.saga import cancelled
from order_svc.domain.task import NewTask
from order_svc.domain.transition import Transition, moved


class Command(StrEnum):
    """What keeps an idempotency key, by the name of its RPC."""

    PLACE = "PlaceOrder"
    CONFIRM = "ConfirmOrderPayment"
    CANCEL = "CancelOrder"
    REFUND = "RefundOrder"
    PROCESS = "StartProcessing"
    SHIP = "ShipOrder"
    DELIVER = "DeliverOrder"
    RETRY = "RetryOrder"
    ANNOTATE = "AnnotateOrder"
    REVIEW = "MarkOrderReviewed"


_ANY = frozenset(State)

# In which states a command changes something. Cancelling ends where the money was taken, which `_allowed_now` looks at.
ALLOWED: dict[Command, frozenset[State]] = {
    Command.CONFIRM: frozenset({State.PAYMENT_ACTION_REQUIRED}),
    Command.CANCEL: frozenset({State.PENDING, State.PAYMENT_ACTION_REQUIRED, State.AUTHORIZED, State.PROCESSING}),
    Command.REFUND: frozenset({State.PAID, State.PROCESSING, State.SHIPPED, State.DELIVERED, State.REFUNDED}),
    Command.PROCESS: frozenset({State.PAID, State.AUTHORIZED}),
    Command.SHIP: frozenset({State.PAID, State.AUTHORIZED, State.PROCESSING}),
    Command.DELIVER: frozenset({State.PROCESSING, State.SHIPPED}),
    Command.RETRY: _ANY,
    Command.ANNOTATE: _ANY,
    Command.REVIEW: _ANY,
}

# In which states a command has nothing left to do: the order is answered as it is.
_FULFILLED: dict[Command, frozenset[State]] = {
    Command.CONFIRM: frozenset(
        {State.PENDING, State.PAID, State.AUTHORIZED, State.PROCESSING, State.SHIPPED, State.DELIVERED}
    ),
    Command.CANCEL: frozenset({State.CANCELLED}),
    Command.PROCESS: frozenset({State.PROCESSING}),
    Command.DELIVER: frozenset({State.DELIVERED}),
}


def allowed(order: Order) -> tuple[Command, ...]:
    """Return the commands that would change something, in the order of the contract."""
    return tuple(command for command in ALLOWED if _allowed_now(command, order))


def check_version(order: Order, etag: str) -> None:
    """Refuse a command that was decided on another version of the order.

    Raises:
        Refusal: VERSION_MISMATCH.
    """
    if etag and etag != order.etag:
        raise Refusal(
            Reason.VERSION_MISMATCH,
            f"The order has changed since {etag}: it is at {order.etag} now. Read it again, and decide anew.",
            metadata={"orderId": order.order_id, "etag": order.etag},
        )


def confirm(order: Order, payment_method: str, now: datetime) -> Transition | None:
    """Go on with a payment that waits for its customer.

    Args:
        order: As it stands.
        payment_method: Another one, after a decline; empty after 3-D Secure.
        now: The time.

    Raises:
        Refusal: The state does not allow it; or a payment method is missing, or one too many.
    """
    if nothing_to_do(Command.CONFIRM, order) or order.stage is not Stage.AWAITING_CUSTOMER:
        return None
    declined = order.payment is not None and order.payment.state is PaymentState.DECLINED
    if declined and not payment_method:
        raise Refusal.of_field("payment_method", "is needed: the latest attempt was declined; name another one")
    if payment_method and not declined:
        raise Refusal(
            Reason.ILLEGAL_STATE,
            "The payment waits for the customer to finish 3-D Secure; another payment method is taken after a decline.",
            metadata=standing(order),
        )
    if not payment_method:
        return Transition(moved(order, now, needs_review=False, tries=0), "payment.confirmation_asked", {})
    attempt = order.attempt + 1
    again = moved(
        order,
        now,
        stage=Stage.CHARGING,
        state=State.PENDING,
        payment_method=payment_method,
        attempt=attempt,
    )
    return Transition(again, "payment.method_changed", {"attempt": str(attempt)})


def cancel(order: Order, reason: str, now: datetime) -> Transition | None:
    """Cancel an order whose money was not taken; whether it was taken meanwhile, the saga finds out.

    Args:
        order: As it stands.
        reason: For the journal; may be empty.
        now: The time.

    Raises:
        Refusal: The state does not allow it.
    """
    if order.cancelling or nothing_to_do(Command.CANCEL, order):
        return None
    if order.stage is Stage.UNDOING:
        return None  # It is being given up already, and nothing will stay charged.
    facts = {"reason": reason} if reason else {}
    if order.stage is Stage.QUOTING:
        over = cancelled(order, now, None)
        return replace(over, facts={**over.facts, **facts})
    return Transition(moved(order, now, stage=Stage.UNDOING, cancelling=True), "order.cancelling", facts)


def process(order: Order, now: datetime) -> Transition | None:
    """Note that the goods are being prepared.

    Raises:
        Refusal: The state does not allow it.
    """
    if nothing_to_do(Command.PROCESS, order):
        return None
    return beside(moved(order, now, state=State.PROCESSING), "order.processing", {}, (), now)


def annotate(order: Order, note: str, now: datetime) -> Transition | None:
    """Replace the shop's note."""
    if order.note == note:
        return None
    return beside(moved(order, now, note=note), "order.annotated", {}, (), now)


def mark_reviewed(order: Order, finding: str, now: datetime) -> Transition | None:
    """Note that a person has looked at the order, and that nothing is left to do.

    Args:
        order: As it stands.
        finding: For the journal; may be empty.
        now: The time.

    Raises:
        Refusal: It stopped in the middle of its work, and would never go on.
    """
    if not order.needs_review:
        return None
    if not _allowed_now(Command.REVIEW, order):
        raise illegal(Command.REVIEW, order)
    facts = {"finding": finding} if finding else {}
    return beside(moved(order, now, needs_review=False, tries=0), "order.reviewed", facts, (), now)


def _allowed_now(command: Command, order: Order) -> bool:
    if command is Command.CANCEL and order.captured.minor_units:
        return False
    if command is Command.DELIVER and not any(each.shipped_at for each in order.shipments):
        return False
    if command is Command.REFUND and not order.captured.minor_units:
        return False
    if command is Command.REVIEW and not (order.needs_review and order.stage in {Stage.SETTLED, Stage.HOLDING}):
        return False
    # A refund may fail after the last of the money went back: then something is left again.
    if command is Command.REFUND and order.state is State.REFUNDED and order.captured == order.refunded:
        return False
    return order.state in ALLOWED[command]


def _under_way(order: Order) -> str:
    """Say what goes on with the order that commands about its goods and money have to wait for; empty for nothing."""
    if order.cancelling:
        return "The order is being cancelled"
    return {
        Stage.CAPTURING: "The order's money is being taken for a shipment",
        Stage.CATCHING_UP: "News of the order's payment is being taken in",
    }.get(order.stage, "")


def nothing_to_do(command: Command, order: Order) -> bool:
    """Say whether what is asked for is so already.

    Raises:
        Refusal: The state does not allow the command; or the order's money is being taken at this moment.
    """
    if order.state in _FULFILLED.get(command, frozenset()) and not _allowed_now(command, order):
        return True
    if not _allowed_now(command, order):
        raise illegal(command, order)
    if under_way := _under_way(order):
        raise Refusal(
            Reason.UNAVAILABLE, f"{under_way} just now; repeat the request with the same key.", retry_after=1.0
        )
    return False


def illegal(command: Command, order: Order) -> Refusal:
    """Return the refusal of a command that the state does not allow: it names the state, and what is allowed."""
    names = ", ".join(each.value for each in allowed(order))
    taken = command is Command.CANCEL and order.captured.minor_units > 0
    why = " Its money was taken: give it back with RefundOrder." if taken else ""
    if command is Command.REVIEW:
        why = " It stopped in the middle of its work: take it up again with RetryOrder."
    return Refusal(
        Reason.ILLEGAL_STATE,
        f"{command.value} is not possible: the order is {order.state.value}.{why} Possible now: {names}.",
        metadata=standing(order),
    )


def standing(order: Order) -> dict[str, str]:
    """Return what a refusal tells a caller's program of the order: its state, and what is allowed."""
    names = ", ".join(each.value for each in allowed(order))
    return {"orderId": order.order_id, "state": order.state.value, "allowed": names}


def beside(after: Order, kind: str, facts: dict[str, str], tasks: tuple[NewTask, ...], now: datetime) -> Transition:
    """Return a move that leaves the saga where it is: what is under way goes on from the order as it is then."""
    if after.needs_review and after.stage not in {Stage.SETTLED, Stage.HOLDING, Stage.REFUNDING}:
        return Transition(after, kind, facts, tasks, parked=True)
    wake_at = {Stage.SETTLED: None, Stage.HOLDING: looked_at(after, now)}.get(after.stage, now)
    return Transition(after, kind, facts, tasks, wake_at)
