"""What the shop's other systems are told of orders: which journal entries are announced, as what, in which words."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from order_svc.domain.order import Event, Order, State
from order_svc.domain.refund import Refund
from order_svc.domain.refunding import REFUNDS_MADE

# By the journal's word, which is what happened to the order. What is not here is nobody else's business.
_TOLD_AS = {
    "order.placed": "order.placed",
    "payment.action_required": "order.payment_action_required",
    "payment.authorized": "order.authorized",
    "payment.charged": "order.paid",
    "payment.captured": "order.paid",
    "order.processing": "order.processing",
    "order.shipped": "order.shipped",
    "order.delivered": "order.delivered",
    "order.failed": "order.failed",
    "order.cancelled": "order.cancelled",
    "payment.declined": "order.payment_action_required",
    "refund.failed": "order.alerted",
    "mail.bounced": "order.alerted",
    "mail.dropped": "order.alerted",
    "mail.spam_reported": "order.alerted",
    "mail.undeliverable": "order.alerted",
    "payment.disputed": "order.alerted",
    "hold.expiring": "order.alerted",
}

_ACTION, _PAID, _FAILED, _ALERTED = "order.payment_action_required", "order.paid", "order.failed", "order.alerted"
_REFUNDED = "order.refunded"
_NEEDS_REVIEW = "order.needs_review"

# Entries that leave an order to a person, besides refusals and alerts. Others may follow while it waits, and are no
# news of that kind.
_PARKING = frozenset({"payment.differs"})
_REFUSED = ".refused"

EVENT_TYPES = (
    *dict.fromkeys(each for each in _TOLD_AS.values() if each != _ALERTED),
    _REFUNDED,
    _ALERTED,
    _NEEDS_REVIEW,
)
"""All that can be told, in the order in which an order goes through it."""

# Names messages; any fixed one would do.
_MESSAGES = uuid.UUID("6f0d3e5c-7f5b-5f0e-9a53-0b7d8c1f2a64")


@dataclass(frozen=True, slots=True)
class Message:
    """What is told of one thing that happened to an order, the same to every endpoint.

    Attributes:
        message_id: "msg_" and 32 hexadecimal digits; follows from what it tells, so that nothing is told twice.
        order_id: The order.
        event_type: One of EVENT_TYPES.
        payload: What is posted, to be written as JSON: no personal data, and little enough that receivers read the
            order itself for the rest.
        happened_at: UTC.
        traceparent: The trace in which the order was placed; may be empty.
    """

    message_id: str
    order_id: str
    event_type: str
    payload: dict[str, object]
    happened_at: datetime
    traceparent: str


def messages_of(order: Order, event: Event) -> tuple[Message, ...]:
    """Return what is told of a journal entry, as a rule nothing or one message.

    Args:
        order: As it is after what the entry tells.
        event: The entry.
    """
    refunds = iter(_refunds_made(order, event))
    return tuple(
        _message(order, event, event_type, next(refunds) if event_type == _REFUNDED else None)
        for event_type in event_types_of(order, event)
    )


def event_types_of(order: Order, event: Event) -> tuple[str, ...]:
    """Return as what a journal entry is announced; nothing for most of them."""
    types = [_TOLD_AS[event.kind]] if event.kind in _TOLD_AS else []
    # A card that was declined asks for another one only while the order still waits for its customer.
    if _ACTION in types and event.state is not State.PAYMENT_ACTION_REQUIRED:
        types = []
    # The shipment that the money waited for is one entry with the money.
    if event.kind == "order.shipped" and "captured" in event.facts:
        types.insert(0, _PAID)
    # A refund of an order's undoing that fails ends the order, without an entry of its own; unless it had ended before.
    if event.kind == "refund.failed" and "ended" in event.facts:
        types.insert(0, _FAILED)
    # One entry may tell of several refunds: an answer brings the payment as it is, with all that Stripe has taken.
    types = [_REFUNDED] * len(_refunds_made(order, event)) + types
    if order.needs_review and (_ALERTED in types or event.kind in _PARKING or event.kind.endswith(_REFUSED)):
        types.append(_NEEDS_REVIEW)
    return tuple(types)


def _refunds_made(order: Order, event: Event) -> tuple[Refund, ...]:
    """Return the refunds that Stripe was heard to have taken with a journal entry."""
    return tuple(order.refunds[int(number) - 1] for number in event.facts.get(REFUNDS_MADE, "").split())


def _message(order: Order, event: Event, event_type: str, refund: Refund | None) -> Message:
    # The journal has one entry of a kind for a version, so no two messages share a name.
    parts = (order.order_id, event.version, event.kind, event_type, *(() if refund is None else (refund.number,)))
    name = uuid.uuid5(_MESSAGES, ":".join(map(str, parts)))
    total = order.total
    data: dict[str, object] = {
        "order_id": order.order_id,
        "version": event.version,
        "state": event.state.value,
        "reference": order.terms.reference,
        "total": None if total is None else total.minor_units,
        "currency_code": order.draft.currency_code,
        "refunded": order.refunded.minor_units,
        "needs_review": order.needs_review,
    }
    if refund is not None:
        data["refund"] = {"refund_id": str(refund.number), "amount": refund.amount.minor_units}
    payload: dict[str, object] = {"type": event_type, "timestamp": _iso(event.at), "data": data}
    return Message(f"msg_{name.hex}", order.order_id, event_type, payload, event.at, order.traceparent)


def _iso(moment: datetime) -> str:
    """Return a moment as RFC 3339 writes it, to the millisecond: "2026-03-01T09:30:05.250Z"."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
