"""The whole life of an order: terms, shipments, refunds, alerts, holds, and tasks that are about one of several.

What is added is empty for all orders that there are, so the code before reads on as it did.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _order_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("customer_locale", sa.String(length=35), nullable=False, server_default=""),
        sa.Column("exemption_number", sa.String(length=25), nullable=False, server_default=""),
        sa.Column("entity_use_code", sa.String(length=25), nullable=False, server_default=""),
        sa.Column("business_id", sa.String(length=25), nullable=False, server_default=""),
        sa.Column("provider_customer_id", sa.String(length=100), nullable=False, server_default=""),
        sa.Column("prices_include_tax", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("capture_mode", sa.String(length=20), nullable=False, server_default="AT_PLACEMENT"),
        sa.Column("off_session", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("save_payment_method", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("keep_after_decline", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("cancelling", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("hold_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("disputes", sa.Text(), nullable=True),
        sa.Column("shipments", sa.Text(), nullable=True),
        sa.Column("refunds", sa.Text(), nullable=True),
        sa.Column("refund_documents", sa.Text(), nullable=True),
        sa.Column("alerts", sa.Text(), nullable=True),
        sa.Column("tax_difference", sa.BigInteger(), nullable=True),
    )


# What 0003 forbids, but for orders whose money was only held: they can still fail and be cancelled.
_OVER = "OLD.state IN ('FAILED', 'CANCELLED', 'REFUNDED') AND NEW.state <> OLD.state"
_BACK = (
    "OLD.state NOT IN ('PENDING', 'PAYMENT_ACTION_REQUIRED') AND NEW.state IN ('PENDING', 'PAYMENT_ACTION_REQUIRED')"
)
_TAKEN = (
    "OLD.state IN ('PAID', 'PROCESSING', 'SHIPPED', 'DELIVERED') AND COALESCE(OLD.captured, 0) > 0"
    " AND NEW.state IN ('FAILED', 'CANCELLED')"
)
_MOVES = f"({_OVER}) OR ({_BACK}) OR ({_TAKEN})"

_ON_SQLITE = (
    "DROP TRIGGER orders_over",
    f"""
CREATE TRIGGER orders_over BEFORE UPDATE OF state ON orders WHEN {_MOVES}
BEGIN SELECT RAISE(ABORT, 'an order that is over moves no more'); END
""",
)
_ON_POSTGRESQL = (
    "DROP TRIGGER orders_over ON orders",
    f"""
CREATE TRIGGER orders_over BEFORE UPDATE ON orders FOR EACH ROW WHEN ({_MOVES})
EXECUTE FUNCTION order_svc_refuse('an order that is over moves no more')
""",
)


def upgrade() -> None:
    for column in _order_columns():
        op.add_column("orders", column)
    op.add_column("order_items", sa.Column("kind", sa.String(length=10), nullable=False, server_default="ARTICLE"))
    op.add_column("order_items", sa.Column("applies_to", sa.Text(), nullable=True))
    op.add_column("order_tasks", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    referenced, differing, alerted = (
        sa.text("reference <> ''"),
        sa.text("tax_difference <> 0"),
        sa.text("alerts IS NOT NULL"),
    )
    for name, columns, where in (
        ("orders_by_reference", ["reference", "order_id"], referenced),
        ("orders_differing", ["order_id"], differing),
        ("orders_alerted", ["order_id"], alerted),
    ):
        op.create_index(name, "orders", columns, unique=False, sqlite_where=where, postgresql_where=where)
    for statement in _ON_SQLITE if op.get_bind().dialect.name == "sqlite" else _ON_POSTGRESQL:
        op.execute(statement)
