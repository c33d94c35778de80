"""What orders need for news of their payments: how far a payment is known, and a number for each refund."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("orders", sa.Column("payment_version", sa.BigInteger(), nullable=True))
    op.add_column("orders", sa.Column("refund_number", sa.Integer(), nullable=False, server_default="1"))
