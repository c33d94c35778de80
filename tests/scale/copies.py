"""What the copies of an order are like, table by table: other ids, other times, another customer, another fate."""

from dataclasses import dataclass, field

from sqlalchemy import Table

from notify_svc.adapters import tables as notify
from order_svc.adapters import tables as order
from order_svc.adapters import webhook_tables as webhook
from payment_svc.adapters import tables as payment
from tax_svc.adapters import tables as tax

# Of a thousand orders; the newest are under way (below).
_STATE = """CASE
  WHEN age < 20 THEN 'PENDING' WHEN age < 120 THEN 'PAYMENT_ACTION_REQUIRED' WHEN age < 600 THEN 'AUTHORIZED'
  WHEN n % 1000 < 720 THEN 'DELIVERED' WHEN n % 1000 < 800 THEN 'SHIPPED' WHEN n % 1000 < 820 THEN 'PROCESSING'
  WHEN n % 1000 < 880 THEN 'PAID' WHEN n % 1000 < 920 THEN 'REFUNDED' WHEN n % 1000 < 950 THEN 'CANCELLED'
  ELSE 'FAILED' END"""


def _id(kind: str) -> str:
    """Return a UUID of version 7 of a time and a number, as the product's are: what sorts by id sorts by time.

    It is one expression of built-in functions, which PostgreSQL takes into the statement: a function of ours would be
    called for each row, and that takes ten times as long.
    """
    noise = f"overlay(left(md5({kind} || n::text), 18) PLACING '8' FROM 4 FOR 0)"
    return f"(lpad(to_hex(made), 12, '0') || '7' || {noise})::uuid::text"


ONCE = {f"{kind}_made": _id(f"'{kind}'") for kind in ("order", "payment", "refund", "mail")}
"""Columns of an order, as SQL over n and made: made once, however many rows of a table are its."""

_ORDER, _PAYMENT, _REFUND, _MAIL = (f"o.{name}" for name in ONCE)
# What others choose is in no order: keys, and the ids of providers. Between services, a key begins with an order's id.
_KEY = "left(t.request_id, -36) || md5(t.request_id || n)::uuid"
_KEY_BETWEEN = f"left(t.request_id, -36) || {_ORDER}"
_INTENT = "'pi_' || md5('pi' || n)"
# What `ordermesh retention` leaves of what was told.
_OF_A_MONTH = "age < orders / 12"
_SOME_IN_REVIEW = "n % 10000 = 1"


@dataclass(frozen=True, slots=True)
class Copy:
    """How the rows of a table are made from those of the pattern.

    Attributes:
        table: Where.
        columns: What is not copied: SQL over n (the order's number), made (when, milliseconds), age (how many orders
            are newer), orders (how many there are), customers, o (ONCE), and t (the pattern's row).
        of: Which orders have any, and of which rows, as SQL.
    """

    table: Table
    columns: dict[str, str] = field(default_factory=dict)
    of: str = "true"


COPIES = (
    Copy(
        order.ORDERS,
        {
            "order_id": _ORDER,
            "state": _STATE,
            "customer_id": "'c-' || abs(hashint8(n)) % customers",
            "reference": "'shop-' || n",
            "payment_id": _PAYMENT,
            "provider_payment_id": _INTENT,
            "tax_document": _ORDER,
            "alerts": 'CASE WHEN n % 1000 = 3 THEN \'[["mail.bounced", "n-1", "It bounced.", 0]]\' END',
            "tax_difference": "CASE WHEN n % 5000 = 4 THEN 1 ELSE 0 END",
            "needs_review": _SOME_IN_REVIEW,
            "wake_at": "CASE WHEN age < 120 THEN made + 864000000000 END",
            "created_at": "made",
            "updated_at": "made + 3600000",
        },
    ),
    Copy(order.ORDER_ITEMS, {"order_id": _ORDER}),
    Copy(order.ORDER_EVENTS, {"order_id": _ORDER, "at": "made + 1000 * t.version"}),
    Copy(
        order.ORDER_TASKS,
        {
            "task_id": f"{_ORDER} || substr(t.task_id, 37)",
            "order_id": _ORDER,
            "created_at": "made",
            "due_at": "CASE WHEN age < 50 THEN made + 864000000000 END",
        },
    ),
    Copy(
        order.REQUEST_KEYS,
        {"request_id": _KEY, "subject_id": _ORDER, "created_at": "made"},
        "t.method <> 'CreateWebhookEndpoint'",
    ),
    Copy(
        webhook.WEBHOOK_MESSAGES,
        {"message_id": "'msg_' || md5(n || t.message_id)", "order_id": _ORDER, "created_at": "made"},
        _OF_A_MONTH,
    ),
    Copy(
        webhook.WEBHOOK_DELIVERIES,
        {
            "delivery_id": _id("t.delivery_id"),
            "message_id": "'msg_' || md5(n || t.message_id)",
            "order_id": _ORDER,
            "created_at": "made",
            "state": "CASE WHEN n % 2000 = 1 THEN 'FAILED' ELSE t.state END",
        },
        _OF_A_MONTH,
    ),
    Copy(
        payment.PAYMENTS,
        {
            "payment_id": _PAYMENT,
            "order_id": _ORDER,
            "intent_id": _INTENT,
            "refunded": "CASE WHEN n % 20 = 0 THEN t.refunded ELSE 0 END",
            "created_at": "made",
            "updated_at": "made",
            "look_at": "CASE WHEN age < 120 THEN made + 864000000000 END",
        },
    ),
    Copy(
        payment.REFUNDS,
        {
            "refund_id": _REFUND,
            "payment_id": _PAYMENT,
            "provider_refund_id": f"'re_' || {_ORDER}",
            "created_at": "made",
            "updated_at": "made",
            # Looked at for thirty days after it was made.
            "look_at": "CASE WHEN age < orders / 12 THEN made + 864000000000 END",
        },
        "n % 20 = 0",
    ),
    Copy(
        payment.DISPUTES,
        {"dispute_id": f"'du_' || {_ORDER}", "payment_id": _PAYMENT, "is_open": "(age < orders / 50)::int"},
        "n % 1000 = 0",
    ),
    Copy(
        payment.STRIPE_EVENTS,
        {"event_id": "'evt_' || md5('evt' || n)", "intent_id": _INTENT, "received_at": "made"},
    ),
    Copy(
        payment.REQUEST_KEYS,
        {"request_id": _KEY_BETWEEN, "subject_id": _PAYMENT, "created_at": "made"},
    ),
    Copy(
        tax.TAX_DOCUMENTS,
        {
            "code": _ORDER,
            "order_id": _ORDER,
            "created_at": "made",
            "recorded_tax": "t.charged_tax + CASE WHEN n % 5000 = 4 THEN 1 ELSE 0 END",
        },
    ),
    Copy(
        tax.REQUEST_KEYS,
        {"request_id": _KEY_BETWEEN, "subject_id": _ORDER, "created_at": "made"},
    ),
    Copy(
        notify.NOTIFICATIONS,
        {
            "notification_id": _MAIL,
            "order_id": _ORDER,
            "created_at": "made",
            "sent_at": "made",
            "due_at": "CASE WHEN age < 50 THEN made + 864000000000 END",
        },
    ),
    Copy(
        notify.SENDGRID_EVENTS,
        {"event_id": "'sg-' || md5('sg' || n)", "notification_id": _MAIL, "occurred_at": "made", "received_at": "made"},
    ),
    Copy(
        notify.REQUEST_KEYS,
        {"request_id": _KEY_BETWEEN, "subject_id": _MAIL, "created_at": "made"},
    ),
)

TABLES = tuple(copy.table.name for copy in COPIES)
"""The tables that are filled."""

BIG = tuple(name for name in TABLES if name != "disputes")
"""Those that grow with every order; one payment of a thousand is disputed."""
