"""The tables of the payment service. Times are milliseconds since 1970, money is minor units of its currency."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, literal_column

from chassis.storage.request_keys import request_keys_table

METADATA = MetaData()

REQUEST_KEYS = request_keys_table(METADATA, "payment")

PAYMENTS = Table(
    "payments",
    METADATA,
    Column("payment_id", String(36), primary_key=True),
    # One payment per order, whatever happens: this constraint is what holds against other processes.
    Column("order_id", String(36), nullable=False, unique=True),
    # The fence: +1 with each change; a change is written only against the version it was decided on.
    Column("version", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("currency_code", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("captured", BigInteger, nullable=False),
    # Pending refunds included: the guard against giving back more than was taken.
    Column("refunded", BigInteger, nullable=False),
    # Of a payment that was given up before it had one: "none:" and the payment's id, to be unique.
    Column("intent_id", String(255), nullable=False, unique=True),
    Column("attempt", Integer, nullable=False),
    Column("payment_method", String(100), nullable=False),
    Column("past_failure", String(255), nullable=False),
    # Empty but while the state is ACTION_REQUIRED.
    Column("client_secret", String(255), nullable=False),
    # Null unless the latest attempt failed.
    Column("decline_kind", String(10)),
    Column("decline_code", String(100)),
    Column("decline_reason", String(100)),
    Column("decline_message", Text),
    Column("failure_id", String(255)),
    # Of the call that first asked for it, so that what happens later is found from there.
    Column("traceparent", String(60), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # When the worker reads the intent unasked; null when nothing can change any more by itself.
    Column("look_at", BigInteger),
    # Since when it holds a change that its order did not ask for and has not taken in; null when there is none.
    Column("news_at", BigInteger),
    Column("capture_mode", String(20), nullable=False, server_default="AT_PLACEMENT"),
    # Stripe's; empty for guests.
    Column("customer_id", String(100), nullable=False, server_default=""),
    # How the latest attempt uses its payment method.
    Column("off_session", Integer, nullable=False, server_default="0"),
    Column("saves_method", Integer, nullable=False, server_default="0"),
    # Null but while the state is AUTHORIZED.
    Column("hold_expires_at", BigInteger),
)
Index("payments_newest", PAYMENTS.c.created_at, PAYMENTS.c.payment_id)
Index(
    "payments_due",
    PAYMENTS.c.look_at,
    sqlite_where=PAYMENTS.c.look_at.is_not(None),
    postgresql_where=PAYMENTS.c.look_at.is_not(None),
)
Index(
    "payments_news",
    PAYMENTS.c.news_at,
    sqlite_where=PAYMENTS.c.news_at.is_not(None),
    postgresql_where=PAYMENTS.c.news_at.is_not(None),
)

REFUNDS = Table(
    "refunds",
    METADATA,
    Column("refund_id", String(36), primary_key=True),
    Column("payment_id", String(36), ForeignKey("payments.payment_id"), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("amount", BigInteger, nullable=False),
    # Empty until Stripe has made it.
    Column("provider_refund_id", String(255), nullable=False),
    Column("send", Integer, nullable=False),
    Column("traceparent", String(60), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # When the worker sees to it again; null when it is done with. One that succeeded may still come back for a while.
    Column("look_at", BigInteger),
    # Empty for one that was made at Stripe by hand.
    Column("request_id", String(128), nullable=False, server_default=""),
    Column("failure_reason", String(100), nullable=False, server_default=""),
)
Index(
    "refunds_due",
    REFUNDS.c.look_at,
    sqlite_where=REFUNDS.c.look_at.is_not(None),
    postgresql_where=REFUNDS.c.look_at.is_not(None),
)

DISPUTES = Table(
    "disputes",
    METADATA,
    # Stripe's.
    Column("dispute_id", String(255), primary_key=True),
    Column("payment_id", String(36), ForeignKey("payments.payment_id"), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    # Follows from the state; a column, so that open ones are counted in an index.
    Column("is_open", Integer, nullable=False),
    # Not always the payment's.
    Column("currency_code", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", String(100), nullable=False),
    # Null when no evidence can be handed in.
    Column("evidence_due_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
)
_IS_OPEN = DISPUTES.c.is_open == literal_column("1")
Index("disputes_open", DISPUTES.c.is_open, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN)

# The events themselves are not kept: they hold personal data, and nothing is ever taken from them but these hints.
STRIPE_EVENTS = Table(
    "stripe_events",
    METADATA,
    Column("event_id", String(255), primary_key=True),
    Column("kind", String(100), nullable=False),
    Column("intent_id", String(255), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    # When it is to be applied; null once it is, or where it says nothing that matters.
    Column("look_at", BigInteger),
)
Index(
    "stripe_events_due",
    STRIPE_EVENTS.c.look_at,
    sqlite_where=STRIPE_EVENTS.c.look_at.is_not(None),
    postgresql_where=STRIPE_EVENTS.c.look_at.is_not(None),
)
