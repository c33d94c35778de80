"""The first tables: orders, their items, journal and tasks, and the idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    waiting, in_review, due = sa.text("wake_at IS NOT NULL"), sa.text("needs_review"), sa.text("due_at IS NOT NULL")
    op.create_table(
        "order_request_keys",
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.Column("method", sa.String(length=100), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "method", "request_id"),
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("customer_id", sa.String(length=50), nullable=False),
        sa.Column("customer_email", sa.String(length=254), nullable=False),
        sa.Column("customer_name", sa.String(length=100), nullable=False),
        sa.Column("ship_line1", sa.String(length=100), nullable=False),
        sa.Column("ship_line2", sa.String(length=100), nullable=False),
        sa.Column("ship_locality", sa.String(length=50), nullable=False),
        sa.Column("ship_administrative_area", sa.String(length=50), nullable=False),
        sa.Column("ship_postal_code", sa.String(length=11), nullable=False),
        sa.Column("ship_region_code", sa.String(length=2), nullable=False),
        sa.Column("payment_method", sa.String(length=100), nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("currency_code", sa.String(length=3), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("tax_source", sa.String(length=10), nullable=True),
        sa.Column("tax_document", sa.String(length=50), nullable=False),
        sa.Column("tax_lines", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.String(length=36), nullable=True),
        sa.Column("provider_payment_id", sa.String(length=255), nullable=True),
        sa.Column("payment_state", sa.String(length=20), nullable=True),
        sa.Column("payment_amount", sa.BigInteger(), nullable=True),
        sa.Column("captured", sa.BigInteger(), nullable=True),
        sa.Column("refunded", sa.BigInteger(), nullable=True),
        sa.Column("client_secret", sa.String(length=255), nullable=True),
        sa.Column("decline_code", sa.String(length=100), nullable=True),
        sa.Column("decline_message", sa.Text(), nullable=True),
        sa.Column("failure_reason", sa.String(length=40), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("failure_decline_code", sa.String(length=100), nullable=True),
        sa.Column("failure_field", sa.String(length=200), nullable=True),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("traceparent", sa.String(length=60), nullable=False),
        sa.Column("lease_owner", sa.String(length=200), nullable=True),
        sa.Column("wake_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_index("orders_by_customer", "orders", ["customer_id", "order_id"], unique=False)
    op.create_index("orders_by_state", "orders", ["state", "order_id"], unique=False)
    op.create_index("orders_due", "orders", ["wake_at"], unique=False, sqlite_where=waiting, postgresql_where=waiting)
    op.create_index(
        "orders_in_review", "orders", ["order_id"], unique=False, sqlite_where=in_review, postgresql_where=in_review
    )
    op.create_table(
        "order_events",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"]),
        sa.PrimaryKeyConstraint("order_id", "version", "kind"),
    )
    op.create_table(
        "order_items",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=50), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("tax_code", sa.String(length=25), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"]),
        sa.PrimaryKeyConstraint("order_id", "position"),
    )
    op.create_table(
        "order_tasks",
        sa.Column("task_id", sa.String(length=80), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=200), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("result", sa.String(length=100), nullable=False),
        sa.Column("last_error", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"]),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_index(op.f("ix_order_tasks_order_id"), "order_tasks", ["order_id"], unique=False)
    op.create_index("order_tasks_due", "order_tasks", ["due_at"], unique=False, sqlite_where=due, postgresql_where=due)
    # ### end Alembic commands ###
