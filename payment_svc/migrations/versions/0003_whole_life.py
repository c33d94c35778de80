"""Money that is held, saved customers, payments that were given up before they began, refunds by hand, disputes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_IS_OPEN = sa.text("is_open = 1")


def upgrade() -> None:
    # The defaults are for the code before, which goes on writing for a while and knows none of this.
    op.add_column("payments", sa.Column("capture_mode", sa.String(20), nullable=False, server_default="AT_PLACEMENT"))
    op.add_column("payments", sa.Column("customer_id", sa.String(100), nullable=False, server_default=""))
    op.add_column("payments", sa.Column("off_session", sa.Integer, nullable=False, server_default="0"))
    op.add_column("payments", sa.Column("saves_method", sa.Integer, nullable=False, server_default="0"))
    op.add_column("payments", sa.Column("hold_expires_at", sa.BigInteger))
    op.add_column("refunds", sa.Column("request_id", sa.String(128), nullable=False, server_default=""))
    op.add_column("refunds", sa.Column("failure_reason", sa.String(100), nullable=False, server_default=""))
    op.execute(
        "UPDATE refunds SET request_id = k.request_id FROM payment_request_keys AS k "
        "WHERE k.subject_id = refunds.refund_id AND k.method = 'RefundPayment'"
    )
    op.create_table(
        "disputes",
        sa.Column("dispute_id", sa.String(255), primary_key=True),
        sa.Column("payment_id", sa.String(36), sa.ForeignKey("payments.payment_id"), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("is_open", sa.Integer, nullable=False),
        sa.Column("currency_code", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("evidence_due_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_disputes_payment_id", "disputes", ["payment_id"])
    op.create_index("disputes_open", "disputes", ["is_open"], sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN)
