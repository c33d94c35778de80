"""Fills a database with orders: what one order has left behind in all tables, many times over, by the server itself.

The first order of the database is the pattern: what the adapters wrote of it is copied with other ids, other times,
another customer, and now and then another fate. A column that a later migration adds is copied unnamed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Table

from notify_svc.adapters import tables as notify
from order_svc.adapters import tables as order
from order_svc.adapters import webhook_tables as webhook
from payment_svc.adapters import tables as payment
from tax_svc.adapters import tables as tax
from tests.scale.shelf import CLOCK, execute

# Orders of one statement: a quarter of a second, and no more memory than for one row.
_CHUNK = 50_000

_YEAR_MS = 31_536_000_000

# How many orders a customer has made, by the median.
_ORDERS_OF_A_CUSTOMER = 4

# UUIDs of version 7 of a time and a number, as the product's: what sorts by id sorts by time.
_FUNCTIONS = """
CREATE OR REPLACE FUNCTION id_of(kind text, number bigint, at bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT left(time, 8) || '-' || substr(time, 9, 4) || '-7' || substr(noise, 1, 3) || '-8' || substr(noise, 4, 3)
         || '-' || substr(noise, 7, 12)
  FROM (SELECT lpad(to_hex(at), 12, '0') AS time, md5(kind || number) AS noise) AS made
$$
"""

# Of a thousand orders; the newest are under way (below).
_STATE = """CASE
  WHEN age < 20 THEN 'PENDING' WHEN age < 120 THEN 'PAYMENT_ACTION_REQUIRED' WHEN age < 600 THEN 'AUTHORIZED'
  WHEN n % 1000 < 720 THEN 'DELIVERED' WHEN n % 1000 < 800 THEN 'SHIPPED' WHEN n % 1000 < 820 THEN 'PROCESSING'
  WHEN n % 1000 < 880 THEN 'PAID' WHEN n % 1000 < 920 THEN 'REFUNDED' WHEN n % 1000 < 950 THEN 'CANCELLED'
  ELSE 'FAILED' END"""
_ORDER = "id_of('order', n, made)"
_PAYMENT = "id_of('payment', n, made)"
_REFUND = "id_of('refund', n, made)"
_MAIL = "id_of('mail', n, made)"
# What others choose is in no order: keys, and the ids of providers.
_KEY = "left(t.request_id, -36) || md5(t.request_id || n)::uuid"
_INTENT = "'pi_' || md5('pi' || n)"
# What `ordermesh retention` leaves of what was told.
_OF_A_MONTH = "age < orders / 12"
_SOME_IN_REVIEW = "n % 10000 = 1"


@dataclass(frozen=True, slots=True)
class _Copy:
    """How the rows of a table are made from those of the pattern.

    Attributes:
        table: Where.
        columns: What is not copied: SQL over n (the order's number), made (when, milliseconds), age (how many orders
            are newer), orders (how many there are), customers, and t (the pattern's row).
        of: Which orders have any, as SQL.
    """

    table: Table
    columns: dict[str, str] = field(default_factory=dict)
    of: str = "true"


_COPIES = (
    _Copy(
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
    _Copy(order.ORDER_ITEMS, {"order_id": _ORDER}),
    _Copy(order.ORDER_EVENTS, {"order_id": _ORDER, "at": "made + 1000 * t.version"}),
    _Copy(
        order.ORDER_TASKS,
        {
            "task_id": f"{_ORDER} || substr(t.task_id, 37)",
            "order_id": _ORDER,
            "created_at": "made",
            "due_at": "CASE WHEN age < 50 THEN made + 864000000000 END",
        },
    ),
    _Copy(
        order.REQUEST_KEYS,
        {"request_id": _KEY, "subject_id": _ORDER, "created_at": "made"},
    ),
    _Copy(
        webhook.WEBHOOK_MESSAGES,
        {"message_id": "'msg_' || md5(n || t.message_id)", "order_id": _ORDER, "created_at": "made"},
        _OF_A_MONTH,
    ),
    _Copy(
        webhook.WEBHOOK_DELIVERIES,
        {
            "delivery_id": "id_of(t.delivery_id, n, made)",
            "message_id": "'msg_' || md5(n || t.message_id)",
            "order_id": _ORDER,
            "created_at": "made",
            "state": "CASE WHEN n % 2000 = 1 THEN 'FAILED' ELSE t.state END",
        },
        _OF_A_MONTH,
    ),
    _Copy(
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
    _Copy(
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
    _Copy(
        payment.DISPUTES,
        {"dispute_id": f"'du_' || {_ORDER}", "payment_id": _PAYMENT, "is_open": "(age < orders / 50)::int"},
        "n % 1000 = 0",
    ),
    _Copy(
        payment.STRIPE_EVENTS,
        {"event_id": "'evt_' || md5('evt' || n)", "intent_id": _INTENT, "received_at": "made"},
    ),
    _Copy(
        payment.REQUEST_KEYS,
        {"request_id": _KEY, "subject_id": _PAYMENT, "created_at": "made"},
    ),
    _Copy(
        tax.TAX_DOCUMENTS,
        {
            "code": _ORDER,
            "order_id": _ORDER,
            "created_at": "made",
            "recorded_tax": "t.charged_tax + CASE WHEN n % 5000 = 4 THEN 1 ELSE 0 END",
        },
    ),
    _Copy(
        tax.REQUEST_KEYS,
        {"request_id": _KEY, "subject_id": _ORDER, "created_at": "made"},
    ),
    _Copy(
        notify.NOTIFICATIONS,
        {
            "notification_id": _MAIL,
            "order_id": _ORDER,
            "created_at": "made",
            "sent_at": "made",
            "due_at": "CASE WHEN age < 50 THEN made + 864000000000 END",
        },
    ),
    _Copy(
        notify.SENDGRID_EVENTS,
        {"event_id": "'sg-' || md5('sg' || n)", "notification_id": _MAIL, "occurred_at": "made", "received_at": "made"},
    ),
    _Copy(
        notify.REQUEST_KEYS,
        {"request_id": _KEY, "subject_id": _MAIL, "created_at": "made"},
    ),
)

TABLES = tuple(copy.table.name for copy in _COPIES)
"""The tables that are filled."""

BIG = tuple(name for name in TABLES if name != "disputes")
"""Those that grow with every order; one payment of a thousand is disputed."""

# What need not be done while nobody else is there: waiting for the disk, and looking for the parents of copied rows.
_FAST = ("SET synchronous_commit = off", "SET session_replication_role = replica")
_ROOM = "SET maintenance_work_mem = '512MB'"


def _patterns() -> Iterator[str]:
    for copy in _COPIES:
        yield f"CREATE UNLOGGED TABLE pattern_{copy.table.name} AS SELECT * FROM {copy.table.name}"


def _chunk(copy: _Copy, first: int, last: int, size: "_Size") -> str:
    names = [column.name for column in copy.table.columns]
    values = ", ".join(copy.columns.get(name, f"t.{name}") for name in names)
    newer = f"({size.rows} - n)::bigint"
    numbers = (
        f"SELECT n, {size.newest_ms} - {newer} * {_YEAR_MS} / {size.rows} AS made, "
        f"{newer} * {size.orders} / {size.rows} AS age, {size.orders}::bigint AS orders, "
        f"{max(1, size.rows // _ORDERS_OF_A_CUSTOMER)} AS customers "
        f"FROM generate_series({first}::bigint, {last}) AS n"
    )
    return (
        f"INSERT INTO {copy.table.name} ({', '.join(names)}) SELECT {values} "
        f"FROM ({numbers}) AS o, pattern_{copy.table.name} AS t WHERE {copy.of}"
    )


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is filled in.

    Attributes:
        rows: How many orders.
        orders: How many they stand for.
        newest_ms: When the newest was placed.
    """

    rows: int
    orders: int
    newest_ms: int


def _indexes() -> str:
    tables = ", ".join(f"'{name}'" for name in TABLES)
    return (
        "SELECT i.relname, pg_get_indexdef(x.indexrelid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
        f"LEFT JOIN pg_constraint c ON c.conindid = i.oid WHERE x.indrelid::regclass::text IN ({tables}) AND c IS NULL"
    )


async def fill(url: str, rows: int, orders: int | None = None) -> None:
    """Add orders to a database in which one order has lived, and learn its statistics.

    Args:
        url: The database.
        rows: How many orders; their times are spread over the last year.
        orders: How many they stand for: of so many the newest are under way; as many as there are by default.
    """
    newest = CLOCK.now() - timedelta(hours=1)
    size = _Size(rows, orders or rows, int(newest.timestamp() * 1000))
    (found,) = await execute(url, _indexes())
    indexes = {str(name): str(definition) for name, definition in found} if rows > _CHUNK else {}
    # An index that is built at once takes a fifth of the time, and is packed as after a REINDEX.
    await execute(url, _FUNCTIONS, *_patterns(), *(f"DROP INDEX {name}" for name in indexes))
    for copy in _COPIES:
        chunks = range(1, rows + 1, _CHUNK)
        copied = [_chunk(copy, first, min(rows, first + _CHUNK - 1), size) for first in chunks]
        await execute(url, *_FAST, *copied)
    await execute(url, _ROOM, *indexes.values(), *(f"DROP TABLE pattern_{name}" for name in TABLES))
    await execute(url, *(f"VACUUM ANALYZE {name}" for name in TABLES))


async def pretend(url: str, orders: int) -> None:
    """Have the planner take the tables of a small database for those of a big one.

    It reckons with rows per page as the statistics say, times the pages that there are. So the rows of a big table are
    put down for the pages of the small one; the shares of values, which ANALYZE has found, stay as they are.
    """
    (counted,) = await execute(url, "SELECT count(*) FROM orders")
    factor = orders / int(str(counted[0][0]))
    await execute(
        url,
        *(
            f"SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', '{name}', 'reltuples',"
            f" (reltuples * {factor})::real, 'relpages', relpages) FROM pg_class WHERE oid = '{name}'::regclass"
            for name in TABLES
        ),
    )
