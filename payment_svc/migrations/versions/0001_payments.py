"""Payments, refunds, Stripe's events, and the request keys behind them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_IS_DUE = sa.text("look_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "payments",
        sa.Column("payment_id", sa.String(36), primary_key=True),
        sa.Column("order_id", sa.String(36), nullable=False, unique=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("currency_code", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("captured", sa.BigInteger, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("intent_id", sa.String(255), nullable=False, unique=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("payment_method", sa.String(100), nullable=False),
        sa.Column("past_failure", sa.String(255), nullable=False),
        sa.Column("client_secret", sa.String(255), nullable=False),
        sa.Column("decline_kind", sa.String(10)),
        sa.Column("decline_code", sa.String(100)),
        sa.Column("decline_reason", sa.String(100)),
        sa.Column("decline_message", sa.Text),
        sa.Column("failure_id", sa.String(255)),
        sa.Column("traceparent", sa.String(60), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("look_at", sa.BigInteger),
    )
    op.create_index("payments_newest", "payments", ["created_at", "payment_id"])
    _index_due("payments")
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.String(36), primary_key=True),
        sa.Column("payment_id", sa.String(36), sa.ForeignKey("payments.payment_id"), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("provider_refund_id", sa.String(255), nullable=False),
        sa.Column("send", sa.Integer, nullable=False),
        sa.Column("traceparent", sa.String(60), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("look_at", sa.BigInteger),
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"])
    _index_due("refunds")
    op.create_table(
        "stripe_events",
        sa.Column("event_id", sa.String(255), primary_key=True),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("intent_id", sa.String(255), nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("look_at", sa.BigInteger),
    )
    _index_due("stripe_events")
    op.create_table(
        "payment_request_keys",
        sa.Column("caller", sa.String(200), primary_key=True),
        sa.Column("method", sa.String(100), primary_key=True),
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )


def _index_due(table: str) -> None:
    """Index what the worker has to look at: a few rows, however large the table grows."""
    op.create_index(f"{table}_due", table, ["look_at"], sqlite_where=_IS_DUE, postgresql_where=_IS_DUE)
