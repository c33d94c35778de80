"""Mails of every kind and language, and news: notifications that turned out not to reach their reader."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_IS_NEWS = sa.text("news_at IS NOT NULL")


def upgrade() -> None:
    # The code before this writes neither; what a kind tells besides the order lies in `content`, which is JSON.
    op.add_column("notifications", sa.Column("locale", sa.String(35), nullable=False, server_default=""))
    op.add_column("notifications", sa.Column("request_id", sa.String(128), nullable=False, server_default=""))
    op.add_column("notifications", sa.Column("news_at", sa.BigInteger))
    # A few rows, however large the table grows.
    op.create_index(
        "notifications_news", "notifications", ["news_at"], sqlite_where=_IS_NEWS, postgresql_where=_IS_NEWS
    )
