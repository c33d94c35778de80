"""The tables of outgoing webhooks. Times are milliseconds since 1970."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from order_svc.adapters.tables import METADATA

WEBHOOK_ENDPOINTS = Table(
    "webhook_endpoints",
    METADATA,
    Column("endpoint_id", String(36), primary_key=True),
    Column("url", String(500), nullable=False),
    # JSON: ["order.paid", …]; empty for all.
    Column("event_types", Text, nullable=False),
    Column("description", String(200), nullable=False),
    # JSON: [[secret id, "whsec_…", when it ends or null], …], the newest first.
    Column("secrets", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# What is told, written in the commit of the order's move that it tells of.
WEBHOOK_MESSAGES = Table(
    "webhook_messages",
    METADATA,
    Column("message_id", String(40), primary_key=True),
    Column("order_id", String(36), nullable=False),
    Column("event_type", String(50), nullable=False),
    # JSON, as it is posted.
    Column("payload", Text, nullable=False),
    Column("traceparent", String(60), nullable=False),
    # Whether it was shared out to the endpoints.
    Column("shared", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# Stays tiny: messages are shared out within a second.
Index(
    "webhook_messages_new",
    WEBHOOK_MESSAGES.c.created_at,
    sqlite_where=WEBHOOK_MESSAGES.c.shared.is_(False),
    postgresql_where=WEBHOOK_MESSAGES.c.shared.is_(False),
)

# No foreign keys: an endpoint is taken away with its deliveries in one transaction, under its lock.
WEBHOOK_DELIVERIES = Table(
    "webhook_deliveries",
    METADATA,
    Column("delivery_id", String(36), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("endpoint_id", String(36), nullable=False),
    Column("message_id", String(40), nullable=False),
    Column("event_type", String(50), nullable=False),
    Column("order_id", String(36), nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", String(200)),
    # While leased: when the lease ends. Otherwise: when it is tried next. Null: over, or held back.
    Column("due_at", BigInteger),
    Column("response_status", Integer, nullable=False),
    Column("last_error", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
)

# A message goes to an endpoint once, whoever shares it out.
Index("webhook_deliveries_once", WEBHOOK_DELIVERIES.c.message_id, WEBHOOK_DELIVERIES.c.endpoint_id, unique=True)
Index(
    "webhook_deliveries_due",
    WEBHOOK_DELIVERIES.c.endpoint_id,
    WEBHOOK_DELIVERIES.c.due_at,
    sqlite_where=WEBHOOK_DELIVERIES.c.due_at.is_not(None),
    postgresql_where=WEBHOOK_DELIVERIES.c.due_at.is_not(None),
)
# Lists are newest first, and delivery ids sort by time.
Index("webhook_deliveries_by_endpoint", WEBHOOK_DELIVERIES.c.endpoint_id, WEBHOOK_DELIVERIES.c.delivery_id)
Index("webhook_deliveries_by_order", WEBHOOK_DELIVERIES.c.order_id, WEBHOOK_DELIVERIES.c.delivery_id)
Index("webhook_deliveries_by_state", WEBHOOK_DELIVERIES.c.state, WEBHOOK_DELIVERIES.c.delivery_id)
