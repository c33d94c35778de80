"""Returns beside the sales, and lists of both.

Additive: the code of before writes rows without the new columns, and never looks at those of returns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TABLE = "tax_documents"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # SQLite does not look at lengths. PostgreSQL keeps the rows as they are.
        op.alter_column(_TABLE, "code", type_=sa.String(50), existing_type=sa.String(36), existing_nullable=False)
    op.add_column(_TABLE, sa.Column("kind", sa.String(16), nullable=False, server_default="SALE"))
    op.add_column(_TABLE, sa.Column("order_id", sa.String(36)))
    op.add_column(_TABLE, sa.Column("booked_on", sa.String(10)))
    op.create_index("tax_documents_order", _TABLE, ["order_id"])
    op.create_index("tax_documents_newest", _TABLE, ["created_at", "code"])
    differing = sa.text("recorded_tax <> charged_tax")
    op.create_index(
        "tax_documents_differing",
        _TABLE,
        ["created_at", "code"],
        postgresql_where=differing,
        sqlite_where=differing,
    )
