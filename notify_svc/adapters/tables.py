"""The tables of the notify service. Times are milliseconds since 1970."""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

from chassis.storage.request_keys import request_keys_table

METADATA = MetaData()

NOTIFICATIONS = Table(
    "notifications",
    METADATA,
    # A UUID of version 7: later ones sort after earlier ones.
    Column("notification_id", String(36), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("order_id", String(36), nullable=False),
    # ORDER_CONFIRMATION, ORDER_SHIPPED …
    Column("kind", String(32), nullable=False),
    Column("recipient_email", String(254), nullable=False),
    Column("recipient_name", String(100), nullable=False),
    # What the mail says, as JSON.
    Column("content", Text, nullable=False),
    # The trace in which it was accepted; empty when there was none.
    Column("traceparent", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # ACCEPTED, SENT, DEFERRED, UNDELIVERABLE, DROPPED, DELIVERED, BOUNCED or SPAM_REPORTED.
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    # Attempts that began and whose end is not known.
    Column("open_attempts", Integer, nullable=False),
    Column("provider_message_id", String(100), nullable=False),
    Column("last_error", String(500), nullable=False),
    Column("sent_at", BigInteger),
    # When sending is tried next, or when the attempt under way counts as abandoned; NULL when nothing is planned.
    Column("due_at", BigInteger),
    # "de-AT"; empty means the shop's own.
    Column("locale", String(35), nullable=False, server_default=""),
    # Of the command that asked for it.
    Column("request_id", String(128), nullable=False, server_default=""),
    # The notification that a person had sent again by this one, and who that was; empty for all others.
    Column("resent_from", String(36), nullable=False, server_default=""),
    Column("resent_by", String(200), nullable=False, server_default=""),
    # Since when it is news that it did not reach its reader; NULL when it is none, or was heard.
    Column("news_at", BigInteger),
    Index("notifications_by_order", "order_id", "notification_id"),
)
Index(
    "notifications_due",
    NOTIFICATIONS.c.due_at,
    sqlite_where=NOTIFICATIONS.c.due_at.is_not(None),
    postgresql_where=NOTIFICATIONS.c.due_at.is_not(None),
)
Index(
    "notifications_news",
    NOTIFICATIONS.c.news_at,
    sqlite_where=NOTIFICATIONS.c.news_at.is_not(None),
    postgresql_where=NOTIFICATIONS.c.news_at.is_not(None),
)

SENDGRID_EVENTS = Table(
    "sendgrid_events",
    METADATA,
    # SendGrid's sg_event_id.
    Column("event_id", String(100), primary_key=True),
    # "delivered", "bounce" …
    Column("kind", String(32), nullable=False),
    # From the mail's custom arguments; empty for mail that is none of ours.
    Column("notification_id", String(36), nullable=False),
    Column("provider_message_id", String(100), nullable=False),
    # The receiving server's code, "5.1.1", or SendGrid's reason for dropping it; a server's words may hold
    # an address and are not kept.
    Column("status", String(32), nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Index("sendgrid_events_by_notification", "notification_id"),
)

REQUEST_KEYS = request_keys_table(METADATA, "notify")
