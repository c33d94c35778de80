"""What the shop may ask of an order, and when: one table, and for each command what it makes of the order.

Nothing here moves money. What a command asks for is written down first; the saga does it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kernel.errors import Reason, Refusal
from kernel.money import Money
from order_svc.domain import shares
from order_svc.domain.fulfilment import Quantity, Shipment, unshipped
from order_svc.domain.hold import looked_at, shipped_state
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import PaymentState
from order_svc.domain.refund import Refund, RefundKind, counted_items
from order_svc.domain.refunding import left_to_refund, reason_to_refuse
from order_svc.domain.saga import cancelled
from order_svc.domain.task import NewTask, TaskKind
from order_svc.domain.transition import Transition, moved

# More would be a mistake of a program; each is a row that the order carries with it.
_MOST_REFUNDS = 100


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


_ANY = frozenset(State)

# In which states a command changes something. Cancelling ends where the money was taken, which `_allowed_now` looks at.
ALLOWED: dict[Command, frozenset[State]] = {
    Command.CONFIRM: frozenset({State.PAYMENT_ACTION_REQUIRED}),
    Command.CANCEL: frozenset({State.PENDING, State.PAYMENT_ACTION_REQUIRED, State.AUTHORIZED, State.PROCESSING}),
    Command.REFUND: frozenset({State.PAID, State.PROCESSING, State.SHIPPED, State.DELIVERED}),
    Command.PROCESS: frozenset({State.PAID, State.AUTHORIZED}),
    Command.SHIP: frozenset({State.PAID, State.AUTHORIZED, State.PROCESSING}),
    Command.DELIVER: frozenset({State.PROCESSING, State.SHIPPED}),
    Command.RETRY: _ANY,
    Command.ANNOTATE: _ANY,
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


@dataclass(frozen=True, slots=True)
class Handover:
    """What is handed to a carrier.

    Attributes:
        items: Empty for everything that is left.
        carrier: May be empty.
        tracking_number: May be empty.
        tracking_url: May be empty.
        release_rest: Nothing more will be shipped.
    """

    items: tuple[Quantity, ...] = ()
    carrier: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    release_rest: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be given back: some lines, or an amount, or all that is left.

    Attributes:
        skus: Lines of which all that is left is given back.
        items: Lines of which so many are.
        amount: An amount; None otherwise.
        reason: The shop's words; may be empty.
    """

    skus: tuple[str, ...] = ()
    items: tuple[Quantity, ...] = ()
    amount: Money | None = None
    reason: str = ""


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
    if _nothing_to_do(Command.CONFIRM, order) or order.stage is not Stage.AWAITING_CUSTOMER:
        return None
    declined = order.payment is not None and order.payment.state is PaymentState.DECLINED
    if declined and not payment_method:
        raise Refusal.of_field("payment_method", "is needed: the latest attempt was declined; name another one")
    if payment_method and not declined:
        raise Refusal(
            Reason.ILLEGAL_STATE,
            "The payment waits for the customer to finish 3-D Secure; another payment method is taken after a decline.",
            metadata=_metadata(order),
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
    if order.cancelling or _nothing_to_do(Command.CANCEL, order):
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
    if _nothing_to_do(Command.PROCESS, order):
        return None
    return _beside(moved(order, now, state=State.PROCESSING), "order.processing", {}, (), now)


def ship(order: Order, handover: Handover, now: datetime) -> Transition:
    """Note a shipment, or have the money for it taken first.

    Args:
        order: As it stands.
        handover: What is shipped.
        now: The time.

    Raises:
        Refusal: The state does not allow it, or the order has no such articles left.
    """
    _nothing_to_do(Command.SHIP, order)
    held = order.stage is Stage.HOLDING
    if handover.release_rest and not held:
        raise Refusal.of_field("release_rest", "is for the first shipment of an order whose money is held")
    items = _left_to_ship(order, handover.items)
    shipment = Shipment(
        number=len(order.shipments) + 1,
        items=items,
        carrier=handover.carrier,
        tracking_number=handover.tracking_number,
        tracking_url=handover.tracking_url,
        shipped_at=None if held else now,
        release_rest=handover.release_rest,
    )
    shipments = (*order.shipments, shipment)
    facts = {"shipment": str(shipment.number), "articles": str(sum(each.quantity for each in items))}
    if held:
        return Transition(moved(order, now, stage=Stage.CAPTURING, shipments=shipments), "shipment.waiting", facts)
    shipped = moved(order, now, state=shipped_state(order, shipments), shipments=shipments)
    return _beside(shipped, "order.shipped", facts, (NewTask(TaskKind.SEND_SHIPPED, shipment.number),), now)


def deliver(order: Order, number: int, now: datetime) -> Transition | None:
    """Note that goods have arrived.

    Args:
        order: As it stands.
        number: Of the shipment; 0 for all that are on their way.
        now: The time.

    Raises:
        Refusal: The state does not allow it, or there is no such shipment.
    """
    if _nothing_to_do(Command.DELIVER, order):
        return None
    if number and number not in {each.number for each in order.shipments}:
        raise Refusal.of_field("shipment_id", f"{number} is no shipment of this order")
    arrived = [each for each in order.shipments if not each.delivered_at and number in {0, each.number}]
    if not arrived:
        return None
    shipments = tuple(replace(each, delivered_at=now) if each in arrived else each for each in order.shipments)
    facts = {"shipments": " ".join(str(each.number) for each in arrived)}
    if order.state is State.SHIPPED and all(each.delivered_at for each in shipments):
        over = moved(order, now, state=State.DELIVERED, shipments=shipments)
        return _beside(over, "order.delivered", facts, (NewTask(TaskKind.SEND_DELIVERED),), now)
    return _beside(moved(order, now, shipments=shipments), "shipment.delivered", facts, (), now)


def refund(order: Order, wanted: Wanted, now: datetime) -> Transition:
    """Write down that money is to go back.

    Args:
        order: As it stands.
        wanted: What is to be given back.
        now: The time.

    Raises:
        Refusal: The state does not allow it, more is asked for than is left, or the order has no such lines.
    """
    _nothing_to_do(Command.REFUND, order)
    if len(order.refunds) >= _MOST_REFUNDS:
        raise Refusal(Reason.ILLEGAL_STATE, f"An order takes {_MOST_REFUNDS} refunds.", metadata=_metadata(order))
    items, parts = _parts(order, wanted)
    amount = shares.total(parts, order.draft.currency_code)
    new = Refund(len(order.refunds) + 1, RefundKind.ASKED, parts, amount, now, items, wanted.reason)
    refunds, review = (*order.refunds, new), order.needs_review
    asked = moved(order, now, stage=Stage.REFUNDING, refunds=refunds, needs_review=review, tries=0)
    return Transition(asked, "refund.asked", {"refund": str(new.number), "amount": str(amount)})


def annotate(order: Order, note: str, now: datetime) -> Transition | None:
    """Replace the shop's note."""
    if order.note == note:
        return None
    return _beside(moved(order, now, note=note), "order.annotated", {}, (), now)


def _allowed_now(command: Command, order: Order) -> bool:
    if command is Command.CANCEL and order.captured.minor_units:
        return False
    if command is Command.DELIVER and not any(each.shipped_at for each in order.shipments):
        return False
    if command is Command.REFUND and not order.captured.minor_units:
        return False
    return order.state in ALLOWED[command]


def _nothing_to_do(command: Command, order: Order) -> bool:
    """Say whether what is asked for is so already.

    Raises:
        Refusal: The state does not allow the command; or the order's money is being taken at this moment.
    """
    if order.state in _FULFILLED.get(command, frozenset()) and not _allowed_now(command, order):
        return True
    if not _allowed_now(command, order):
        raise illegal(command, order)
    if order.stage is Stage.CAPTURING:
        raise Refusal(
            Reason.UNAVAILABLE,
            "The order's money is being taken for a shipment just now; repeat the request with the same key.",
            retry_after=1.0,
        )
    if order.cancelling:
        raise Refusal(
            Reason.UNAVAILABLE,
            "The order is being cancelled just now; repeat the request with the same key.",
            retry_after=1.0,
        )
    return False


def illegal(command: Command, order: Order) -> Refusal:
    """Return the refusal of a command that the state does not allow: it names the state, and what is allowed."""
    names = ", ".join(each.value for each in allowed(order))
    taken = command is Command.CANCEL and order.captured.minor_units > 0
    why = " Its money was taken: give it back with RefundOrder." if taken else ""
    return Refusal(
        Reason.ILLEGAL_STATE,
        f"{command.value} is not possible: the order is {order.state.value}.{why} Possible now: {names}.",
        metadata=_metadata(order),
    )


def _metadata(order: Order) -> dict[str, str]:
    names = ", ".join(each.value for each in allowed(order))
    return {"orderId": order.order_id, "state": order.state.value, "allowed": names}


def _beside(after: Order, kind: str, facts: dict[str, str], tasks: tuple[NewTask, ...], now: datetime) -> Transition:
    """Return a move that leaves the saga where it is: what is under way goes on from the order as it is then."""
    if after.needs_review and after.stage not in {Stage.SETTLED, Stage.HOLDING, Stage.REFUNDING}:
        return Transition(after, kind, facts, tasks, parked=True)
    wake_at = {Stage.SETTLED: None, Stage.HOLDING: looked_at(after, now)}.get(after.stage, now)
    return Transition(after, kind, facts, tasks, wake_at)


def _left_to_ship(order: Order, wanted: Sequence[Quantity]) -> tuple[Quantity, ...]:
    """Return what the shipment holds.

    Raises:
        Refusal: An article is not the order's, or not so many of it are left.
    """
    given_back = Shipment(0, tuple(counted_items(order.refunds)))
    if not wanted:
        left = unshipped(order.draft, (*order.shipments, given_back))
        if not left:
            raise Refusal.of_field("items", "are all shipped or given back already")
        return left
    left_of = Counter({each.sku: each.quantity for each in unshipped(order.draft, order.shipments)})
    _check_quantities(wanted, {item.sku for item in order.draft.articles}, left_of, "to be shipped")
    return tuple(wanted)


def _parts(order: Order, wanted: Wanted) -> tuple[tuple[Quantity, ...], tuple[shares.Share, ...]]:
    """Return which lines a refund is about, and what it is of each line.

    Raises:
        Refusal: More is asked for than is left, or the order has no such lines.
    """
    assert order.tax is not None, "a paid order has its tax"
    assert order.payment is not None, "a paid order has its payment"
    left = left_to_refund(order)
    promised = Money.total((each.amount for each in order.refunds if each.unanswered), order.draft.currency_code)
    worth = shares.total(left, order.draft.currency_code)
    kept = order.payment.kept - promised
    refundable = Money(kept.currency_code, min(kept.minor_units, worth.minor_units))
    items = _lines_wanted(order, wanted)
    if wanted.amount is not None:
        _check_amount(wanted.amount, refundable)
        parts = shares.of_amount(wanted.amount, left)
    elif items:
        parts = shares.of_items(order.draft, order.tax, counted_items(order.refunds), items, left)
    else:
        parts = shares.of_amount(refundable, left) if refundable.minor_units > 0 else ()
    amount = shares.total(parts, order.draft.currency_code)
    if amount.minor_units <= 0 or amount.minor_units > refundable.minor_units:
        raise reason_to_refuse(amount, refundable)
    return items, parts


def _check_amount(amount: Money, refundable: Money) -> None:
    if amount.currency_code != refundable.currency_code:
        raise Refusal.of_field("amount.currency_code", f"is not the order's: {refundable.currency_code}")
    if amount.minor_units <= 0:
        raise Refusal.of_field("amount.minor_units", "must be above zero")
    if amount.minor_units > refundable.minor_units:
        raise reason_to_refuse(amount, refundable)


def _lines_wanted(order: Order, wanted: Wanted) -> tuple[Quantity, ...]:
    """Return the lines that a refund names, each with its count."""
    if wanted.amount is not None and (wanted.skus or wanted.items):
        raise Refusal.of_field("amount", "goes neither with skus nor with items")
    refundable = {item.sku: item.quantity for item in order.draft.items if item.unit_price.minor_units >= 0}
    left = Counter(refundable)
    left.subtract({each.sku: each.quantity for each in counted_items(order.refunds) if each.sku in refundable})
    for position, sku in enumerate(wanted.skus):
        if not left[sku] or sku not in refundable:
            raise Refusal.of_field(f"skus[{position}]", f"nothing is left of {sku} to be given back")
    whole = tuple(Quantity(sku, left[sku]) for sku in dict.fromkeys(wanted.skus))
    _check_quantities((*whole, *wanted.items), set(refundable), left, "to be given back")
    return (*whole, *wanted.items)


def _check_quantities(wanted: Sequence[Quantity], skus: set[str], left: Counter[str], purpose: str) -> None:
    seen: set[str] = set()
    for position, each in enumerate(wanted):
        named = f"items[{position}]"
        if each.sku not in skus:
            raise Refusal.of_field(f"{named}.sku", f"{each.sku} is none of this order's")
        if each.sku in seen:
            raise Refusal.of_field(f"{named}.sku", f"{each.sku} stands twice; put the quantities together")
        if each.quantity > left[each.sku]:
            raise Refusal.of_field(
                f"{named}.quantity", f"only {max(0, left[each.sku])} of {each.sku} are left {purpose}"
            )
        seen.add(each.sku)
