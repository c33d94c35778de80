"""The SELECTs behind guards: one text per table and key, whatever the number of guards.

Each takes the wanted keys as one JSON parameter (SQLite) or one array per column (PostgreSQL), and is written so that
every key is looked up through its index, also before the database has statistics. Other forms are not: SQLAlchemy's
`tuple_().in_()` becomes `IN (VALUES ...)` on SQLite, which reads the whole index, and PostgreSQL keeps the sequential
scan that it chose for an empty table.
"""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Dialect,
    Integer,
    Select,
    String,
    Table,
    Text,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.engine.interfaces import DBAPICursor

from chassis.storage.statements import Row


class GuardReader:
    """Looks guarded rows up; keeps the compiled statements.

    Args:
        dialect: The database's.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._sqlite = dialect.name == "sqlite"
        self._versions: dict[Table, str] = {}
        self._taken: dict[tuple[Table, tuple[str, ...]], str] = {}
        self._counts: dict[tuple[Table, tuple[str, ...], str], str] = {}

    def versions(self, cursor: DBAPICursor, table: Table, keys: Collection[Row]) -> dict[Row, object]:
        """Return the versions of the rows that exist, by primary key. PostgreSQL keeps them locked until COMMIT.

        Raises:
            ValueError: The table's primary key has several columns.
        """
        sql = self._versions.get(table)
        if sql is None:
            (key,) = table.primary_key.columns
            query = select(key, table.c.version).where(self._is_wanted(key)).order_by(key)
            # NO KEY UPDATE: others may still insert children of these rows. SQLite's dialect leaves the clause out.
            sql = self._versions[table] = self._compile(query.with_for_update(key_share=True))
        return {(key,): version for key, version in self._select(cursor, sql, keys)}

    def taken(self, cursor: DBAPICursor, table: Table, columns: tuple[str, ...], keys: Collection[Row]) -> set[Row]:
        """Return those of the keys that rows already have in these columns."""
        sql = self._taken.get((table, columns))
        if sql is None:
            key = [table.c[column] for column in columns]
            wanted = self._wanted(key)
            # A scalar subquery runs once per wanted key; an EXISTS could be planned as a scan of the table.
            same = [column == value for column, value in zip(key, wanted, strict=True)]
            row = select(func.min(literal_column("1", Integer))).where(*same).scalar_subquery()
            query = select(*wanted).where(row.is_not(None))
            sql = self._taken[table, columns] = self._compile(query)
        return {tuple(row) for row in self._select(cursor, sql, keys)}

    def counts(
        self, cursor: DBAPICursor, table: Table, columns: tuple[str, ...], growing: str, keys: Collection[Row]
    ) -> dict[Row, int]:
        """Return how many rows have the values of each key, by key.

        Args:
            cursor: Inside the transaction.
            table: Where to count.
            columns: Which columns have to have a key's values, but for its last one.
            growing: The column that has to have a key's last value at least.
            keys: What to look for.
        """
        sql = self._counts.get((table, columns, growing))
        if sql is None:
            key = [table.c[column] for column in columns]
            *wanted, since = self._wanted([*key, table.c[growing]])
            same = [column == value for column, value in zip(key, wanted, strict=True)]
            rows = select(func.count()).select_from(table).where(*same, table.c[growing] >= since).scalar_subquery()
            sql = self._counts[table, columns, growing] = self._compile(select(*wanted, since, rows))
        return {tuple(key): count for *key, count in self._select(cursor, sql, keys)}

    def _select(self, cursor: DBAPICursor, sql: str, keys: Collection[Row]) -> list[Any]:
        parameters = [json.dumps(list(keys))] if self._sqlite else [list(column) for column in zip(*keys, strict=True)]
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())

    def _is_wanted(self, key: Column[Any]) -> ColumnElement[bool]:
        if self._sqlite:
            return key.in_(select(*self._wanted([key])))
        return key == func.any(bindparam("keys", type_=_array(key)))

    def _wanted(self, key: list[Column[Any]]) -> list[ColumnElement[Any]]:
        """Return the columns of the table of wanted keys that the parameters make up."""
        if self._sqlite:
            rows = func.json_each(bindparam("keys")).table_valued("value", name="wanted")
            return [func.json_extract(rows.c.value, literal_column(f"'$[{i}]'")) for i in range(len(key))]
        arrays = [bindparam(f"keys_{position}", type_=_array(column)) for position, column in enumerate(key)]
        columns = func.unnest(*arrays).table_valued(*(column.name for column in key), name="wanted").render_derived()
        return list(columns.c)

    def _compile(self, query: Select[Any]) -> str:
        return str(query.compile(dialect=self._dialect))


def _array(column: Column[Any]) -> ARRAY[Any]:
    """Return the array type for a column's values. A cast to VARCHAR(n) would cut them off, not compare them."""
    return ARRAY(Text() if isinstance(column.type, String) else column.type)
