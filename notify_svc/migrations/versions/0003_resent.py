"""Mails that a person had sent again, and who that was."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # The code before this writes neither, and reads neither.
    op.add_column("notifications", sa.Column("resent_from", sa.String(36), nullable=False, server_default=""))
    op.add_column("notifications", sa.Column("resent_by", sa.String(200), nullable=False, server_default=""))
