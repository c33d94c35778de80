"""References in the order of their bytes, so that a range of them is those that begin alike, whatever the locale."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # SQLite compares bytes anyway. PostgreSQL rebuilds the index, and leaves the rows as they are.
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE orders ALTER COLUMN reference TYPE VARCHAR(100) COLLATE "C"')
