"""News: payments that changed without their order's asking, until it has taken that in."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_IS_NEWS = sa.text("news_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("payments", sa.Column("news_at", sa.BigInteger))
    # A few rows, however large the table grows.
    op.create_index("payments_news", "payments", ["news_at"], sqlite_where=_IS_NEWS, postgresql_where=_IS_NEWS)
