"""The tables of the order service. Times are milliseconds since 1970, money is minor units of the order's currency."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, false

from chassis.storage.request_keys import request_keys_table

METADATA = MetaData()

REQUEST_KEYS = request_keys_table(METADATA, "order")

ORDERS = Table(
    "orders",
    METADATA,
    Column("order_id", String(36), primary_key=True),
    Column("caller", String(200), nullable=False),
    # The fence: +1 with each write and each claim; a move is written only against the one it was decided on.
    Column("version", BigInteger, nullable=False),
    # The order's version as its callers and its journal know it.
    Column("revision", BigInteger, nullable=False),
    Column("state", String(30), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("customer_id", String(50), nullable=False),
    Column("customer_email", String(254), nullable=False),
    Column("customer_name", String(100), nullable=False),
    Column("ship_line1", String(100), nullable=False),
    Column("ship_line2", String(100), nullable=False),
    Column("ship_locality", String(50), nullable=False),
    Column("ship_administrative_area", String(50), nullable=False),
    Column("ship_postal_code", String(11), nullable=False),
    Column("ship_region_code", String(2), nullable=False),
    Column("payment_method", String(100), nullable=False),
    # In the order of its bytes: a locale's order skips hyphens, and then a range is not those that begin alike.
    Column("reference", String(100).with_variant(String(100, collation="C"), "postgresql"), nullable=False),
    Column("customer_locale", String(35), nullable=False, server_default=""),
    Column("exemption_number", String(25), nullable=False, server_default=""),
    Column("entity_use_code", String(25), nullable=False, server_default=""),
    Column("business_id", String(25), nullable=False, server_default=""),
    Column("provider_customer_id", String(100), nullable=False, server_default=""),
    Column("prices_include_tax", Boolean, nullable=False, server_default=false()),
    Column("capture_mode", String(20), nullable=False, server_default="AT_PLACEMENT"),
    Column("off_session", Boolean, nullable=False, server_default=false()),
    Column("save_payment_method", Boolean, nullable=False, server_default=false()),
    Column("keep_after_decline", Boolean, nullable=False, server_default=false()),
    # JSON, as all columns that hold any number of things: columns_json.py says how.
    Column("metadata", Text),
    Column("note", Text, nullable=False, server_default=""),
    Column("currency_code", String(3), nullable=False),
    Column("subtotal", BigInteger, nullable=False),
    # Null until the tax was worked out; never changed afterwards.
    Column("tax", BigInteger),
    Column("total", BigInteger),
    Column("tax_source", String(10)),
    # The code of the committed tax document; empty until then.
    Column("tax_document", String(50), nullable=False),
    # JSON: [[line id, tax, [[name, kind, rate, tax], …]], …]
    Column("tax_lines", Text),
    # Null until payment_svc has answered.
    Column("payment_id", String(36)),
    Column("provider_payment_id", String(255)),
    Column("payment_state", String(20)),
    Column("payment_amount", BigInteger),
    Column("captured", BigInteger),
    Column("refunded", BigInteger),
    # Up to which of payment_svc's versions the payment is known; null where that was never told.
    Column("payment_version", BigInteger),
    # Which refund is to be made next, or was made last; each has an idempotency key of its own.
    Column("refund_number", Integer, nullable=False, server_default="1"),
    # Which attempt to charge it is; each has an idempotency key of its own.
    Column("attempt", Integer, nullable=False, server_default="1"),
    # The shop has asked for it to be cancelled, and whether the money was taken is being found out.
    Column("cancelling", Boolean, nullable=False, server_default=false()),
    Column("hold_expires_at", BigInteger),
    Column("disputes", Text),
    Column("shipments", Text),
    Column("refunds", Text),
    # By the number of the refund; written by tasks alone, beside whatever else happens to the order.
    Column("refund_documents", Text),
    Column("alerts", Text),
    # Recorded tax less charged tax; null until the sale was recorded.
    Column("tax_difference", BigInteger),
    Column("client_secret", String(255)),
    Column("decline_code", String(100)),
    Column("decline_message", Text),
    # Null unless the order has failed or is about to.
    Column("failure_reason", String(40)),
    Column("failure_message", Text),
    Column("failure_decline_code", String(100)),
    Column("failure_field", String(200)),
    Column("needs_review", Boolean, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires_at", BigInteger),
    Column("traceparent", String(60), nullable=False),
    # Which life of which replica sees the order through; null while nobody does.
    Column("lease_owner", String(200)),
    # While leased: when the lease ends. Otherwise: when the order is looked at next. Null: never.
    Column("wake_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# Stays tiny, however many orders there are: settled ones have no wake_at.
Index(
    "orders_due",
    ORDERS.c.wake_at,
    sqlite_where=ORDERS.c.wake_at.is_not(None),
    postgresql_where=ORDERS.c.wake_at.is_not(None),
)
# Lists are newest first, and order ids sort by time.
Index("orders_by_customer", ORDERS.c.customer_id, ORDERS.c.order_id)
Index("orders_by_state", ORDERS.c.state, ORDERS.c.order_id)
Index(
    "orders_by_reference",
    ORDERS.c.reference,
    ORDERS.c.order_id,
    sqlite_where=ORDERS.c.reference != "",
    postgresql_where=ORDERS.c.reference != "",
)
Index(
    "orders_differing",
    ORDERS.c.order_id,
    sqlite_where=ORDERS.c.tax_difference != 0,
    postgresql_where=ORDERS.c.tax_difference != 0,
)
Index(
    "orders_alerted",
    ORDERS.c.order_id,
    sqlite_where=ORDERS.c.alerts.is_not(None),
    postgresql_where=ORDERS.c.alerts.is_not(None),
)
Index("orders_in_review", ORDERS.c.order_id, sqlite_where=ORDERS.c.needs_review, postgresql_where=ORDERS.c.needs_review)

ORDER_ITEMS = Table(
    "order_items",
    METADATA,
    Column("order_id", String(36), ForeignKey("orders.order_id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sku", String(50), nullable=False),
    Column("description", String(200), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("tax_code", String(25), nullable=False),
    Column("kind", String(10), nullable=False, server_default="ARTICLE"),
    Column("applies_to", Text),
)

# Append-only.
ORDER_EVENTS = Table(
    "order_events",
    METADATA,
    Column("order_id", String(36), ForeignKey("orders.order_id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("kind", String(50), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("cause", String(20), nullable=False),
    Column("state", String(30), nullable=False),
    Column("facts", Text, nullable=False),
    Column("trace_id", String(32), nullable=False),
)

# One row per declined card and per name under which it counts (order_svc/domain/velocity.py). Append-only; the key is
# the index that it is counted by, and no order hangs on it.
ORDER_DECLINES = Table(
    "order_declines",
    METADATA,
    Column("subject", String(64), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("order_id", String(36), primary_key=True),
    # The fence of the move that told of it: unique to an order.
    Column("version", BigInteger, primary_key=True),
)

ORDER_TASKS = Table(
    "order_tasks",
    METADATA,
    # The order id, a colon, the kind; and a colon and the number, where the order has several of the kind.
    Column("task_id", String(80), primary_key=True),
    Column("order_id", String(36), ForeignKey("orders.order_id"), nullable=False, index=True),
    Column("kind", String(30), nullable=False),
    # Which refund or shipment it is about; 0 when it is about the whole order.
    Column("number", Integer, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", String(200)),
    # While leased: when the lease ends. Otherwise: when it is tried next. Null: done, or refused for good.
    Column("due_at", BigInteger),
    Column("done", Boolean, nullable=False),
    Column("result", String(100), nullable=False),
    Column("last_error", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

Index(
    "order_tasks_due",
    ORDER_TASKS.c.due_at,
    sqlite_where=ORDER_TASKS.c.due_at.is_not(None),
    postgresql_where=ORDER_TASKS.c.due_at.is_not(None),
)
