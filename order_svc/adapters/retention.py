"""What the order service need not keep for ever. Orders, their items and their payments' figures are never touched."""

from sqlalchemy import ColumnElement, and_, exists

from chassis.storage.retention import Rule
from order_svc.adapters.tables import ORDER_DECLINES, ORDER_EVENTS, ORDER_TASKS, ORDERS, REQUEST_KEYS
from order_svc.adapters.webhook_tables import WEBHOOK_DELIVERIES, WEBHOOK_MESSAGES
from order_svc.domain.order import State

# Orders to which nothing more happens by itself. Those that are paid or on their way are not over, however old.
_OVER = [state.value for state in (State.DELIVERED, State.REFUNDED, State.CANCELLED, State.FAILED)]


def _over(old: int) -> ColumnElement[bool]:
    """Return which orders are over: nobody holds them, nobody has to look at them, and no task of theirs is left."""
    left = exists().where(ORDER_TASKS.c.order_id == ORDERS.c.order_id, ORDER_TASKS.c.done.is_(False))
    return and_(
        ORDERS.c.state.in_(_OVER),
        ORDERS.c.updated_at < old,
        ORDERS.c.wake_at.is_(None),
        ORDERS.c.needs_review.is_(False),
        ~left,
    )


def _delivered(old: int) -> ColumnElement[bool]:
    return and_(
        WEBHOOK_DELIVERIES.c.created_at < old,
        WEBHOOK_DELIVERIES.c.due_at.is_(None),
        WEBHOOK_DELIVERIES.c.state != "PENDING",
    )


def _heard(old: int) -> ColumnElement[bool]:
    """Return which messages wait for nobody: shared out, and none of their deliveries is kept."""
    kept = exists().where(WEBHOOK_DELIVERIES.c.message_id == WEBHOOK_MESSAGES.c.message_id)
    return and_(WEBHOOK_MESSAGES.c.created_at < old, WEBHOOK_MESSAGES.c.shared.is_(True), ~kept)


RULES = (
    Rule("journal", "journal entries of orders that are over", 1095, ORDERS, _over, ORDER_EVENTS, by_time=True),
    Rule("tasks", "finished tasks of orders that are over", 90, ORDERS, _over, ORDER_TASKS, by_time=True),
    Rule("declines", "declined cards that count no more", 30, ORDER_DECLINES, lambda old: ORDER_DECLINES.c.at < old),
    Rule("deliveries", "webhooks that were delivered or given up", 30, WEBHOOK_DELIVERIES, _delivered, by_time=True),
    Rule("messages", "webhook messages without a delivery", 30, WEBHOOK_MESSAGES, _heard),
    Rule("keys", "idempotency keys of commands", 400, REQUEST_KEYS, lambda old: REQUEST_KEYS.c.created_at < old),
)
