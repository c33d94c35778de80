"""What must be true of mails: none tells what is not so, each thing is told once, and none goes out too often."""

from collections import Counter, defaultdict

from sqlalchemy import select

from notify_svc.adapters.tables import METADATA as NOTIFY_TABLES
from notify_svc.adapters.tables import NOTIFICATIONS
from notify_svc.domain.notification import Kind, Notification
from order_svc.domain.order import Order
from order_svc.domain.refund import RefundKind
from tests.simulation.mail_events import end_of
from tests.simulation.providers import SendGrid
from tests.simulation.records import column, stored_order
from tests.simulation.shelf import shelf
from tests.simulation.world import World

_MOST_MAILS = 3

# Mails that are about one of several things have its number in their key: "…:send_shipped:2".
_NUMBERED = frozenset({Kind.ORDER_SHIPPED, Kind.ORDER_REFUNDED, Kind.PAYMENT_FAILED, Kind.PAYMENT_ACTION_REQUIRED})

# In which of the states that an order has been in a mail about the whole order is true.
_TRUE_IN = {
    Kind.ORDER_CONFIRMATION: frozenset({"PAID", "AUTHORIZED"}),
    Kind.PAYMENT_ACTION_REQUIRED: frozenset({"PAYMENT_ACTION_REQUIRED"}),
    Kind.ORDER_DELIVERED: frozenset({"DELIVERED"}),
    Kind.ORDER_CANCELLED: frozenset({"CANCELLED"}),
}


def lie(notification: Notification, been: set[str]) -> str:
    """P-33: return what is not so of a mail that goes out now; empty when all is.

    Args:
        notification: The mail.
        been: The states that its order has been in.
    """
    order_id, kind = notification.summary.order_id, notification.kind
    told = f"P-33: order {order_id} is {column('state', order_id)}, and its customer reads {kind.value}"
    if kind in _TRUE_IN:
        return "" if been & _TRUE_IN[kind] else told
    number = _number(notification.request_id, kind)
    if kind is Kind.PAYMENT_FAILED:
        waited = "FAILED" if not number else "PAYMENT_ACTION_REQUIRED"
        return "" if waited in been else told
    order = stored_order(order_id)
    if kind is Kind.ORDER_SHIPPED:
        gone = number <= len(order.shipments) and order.shipments[number - 1].shipped_at is not None
        return "" if gone else f"{told} {number}"
    made = number <= len(order.refunds) and order.refunds[number - 1].provider_refund_id
    return "" if made else f"{told} {number}"


def check_mails(world: World, orders: list[Order], been: dict[str, set[str]], sendgrid: SendGrid) -> None:
    """P-30 to P-35: check what was asked for, what went out, and where SendGrid's events left it."""
    asked: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    for row in shelf(NOTIFY_TABLES).ask(select(NOTIFICATIONS)):
        kind = Kind(row.kind)
        asked[row.order_id][kind.value, _number(row.request_id, kind)] += 1
        copies = sendgrid.copies[row.notification_id]
        if copies > _MOST_MAILS:
            world.violated(f"P-31: the mail {row.notification_id} went out {copies} times")
        end = end_of(row.notification_id)
        # Parked: so many attempts of unknown outcome that a person, or an event of SendGrid's, has to say.
        if not copies and not (row.state == "ACCEPTED" and row.open_attempts >= _MOST_MAILS):
            world.violated(f"P-30: order {row.order_id} has the mail {kind.value}, which never went out")
        if not copies or end is None:
            continue
        if row.state != end.value or row.due_at is not None:
            world.violated(f"P-32: the mail {row.notification_id} is {row.state}, due {row.due_at}, not {end.value}")
        if row.news_at is not None and not end.is_news():
            world.violated(f"P-32: the mail {row.notification_id} is {row.state}, and its news since {row.news_at}")
        if end.is_news():
            _check_heard(world, row.order_id, row.notification_id)
    for order in orders:
        _check_told(world, order, been[order.order_id], asked[order.order_id])


def _check_heard(world: World, order_id: str, notification_id: str) -> None:
    order = stored_order(order_id)
    if order.stage.value in {"SETTLED", "HOLDING"} and all(each.subject != notification_id for each in order.alerts):
        world.violated(f"P-35: the mail {notification_id} never arrived, and order {order_id} does not say so")


def _check_told(world: World, order: Order, been: set[str], asked: Counter[tuple[str, int]]) -> None:
    due = Counter({("ORDER_CONFIRMATION", 0): int(bool(been & {"PAID", "AUTHORIZED"}))})
    due["ORDER_CANCELLED", 0] = int(order.state.value == "CANCELLED")
    due["ORDER_DELIVERED", 0] = int("DELIVERED" in been)
    for shipment in order.shipments:
        due["ORDER_SHIPPED", shipment.number] = int(shipment.shipped_at is not None)
    for refund in order.refunds:
        told = refund.booked and refund.kind is not RefundKind.RELEASED
        due["ORDER_REFUNDED", refund.number] = int(told)
    # One that failed may have done so before its mail went out, which then does not.
    for refund in order.refunds:
        if not refund.counts:
            due["ORDER_REFUNDED", refund.number] = min(1, asked["ORDER_REFUNDED", refund.number])
    asking = {Kind.PAYMENT_FAILED.value, Kind.PAYMENT_ACTION_REQUIRED.value}
    found = {key: count for key, count in asked.items() if key[0] not in asking}
    if found != (wanted := {key: count for key, count in due.items() if count}):
        world.violated(f"P-34: order {order.order_id} is {order.state} and has the mails {found}, not {wanted}")
    # A customer who sits before the answer reads there that it failed; nobody is written to twice about one attempt.
    if any(count > 1 for (kind, _), count in asked.items() if kind in asking):
        world.violated(f"P-34: order {order.order_id} has the mails {dict(asked)}")


def _number(request_id: str, kind: Kind) -> int:
    number = request_id.rpartition(":")[2]
    return int(number) if kind in _NUMBERED and number.isdigit() else 0
