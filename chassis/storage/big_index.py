"""Indexes of tables that are big already, for migrations: built while others go on reading and writing."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

_IS_BROKEN = sa.text(
    "SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
    "WHERE i.relname = :name AND i.relnamespace = current_schema()::regnamespace AND NOT x.indisvalid"
)


def create_big_index(name: str, table: str, columns: Sequence[str], *, where: str = "", using: str = "") -> None:
    """Create an index without keeping writers out, outside of the migration's transaction.

    What the migration did before is committed first, so it comes last in its migration. An index that an earlier try
    has left half built is built anew; one that is there is left alone.

    Args:
        name: Of the index.
        table: Its table.
        columns: What it is over.
        where: Of which rows, as SQL that SQLite and PostgreSQL both know; empty for all.
        using: PostgreSQL's kind of index; its ordinary one when empty. SQLite has one kind.
    """
    condition = sa.text(where) if where else None
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(name, table, columns, sqlite_where=condition, if_not_exists=True)
        return
    with op.get_context().autocommit_block():
        # It waits for whoever reads or writes at the time, and nobody waits for it.
        op.execute("SET lock_timeout = 0")
        if op.get_bind().execute(_IS_BROKEN, {"name": name}).first() is not None:
            op.drop_index(name, table, postgresql_concurrently=True)
        op.create_index(
            name,
            table,
            columns,
            if_not_exists=True,
            postgresql_concurrently=True,
            postgresql_where=condition,
            postgresql_using=using or None,
        )
        op.execute("SET lock_timeout = '5s'")
