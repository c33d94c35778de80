"""What the guards of a batch look at: the rows as the database has them, and what the batch has changed so far."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Column, Connection, Table, select, tuple_

from chassis.storage.changes import Absent, Change, Delete, Expect, Insert, Update

_Row = tuple[object, ...]
_Columns = tuple[str, ...]


class View:
    """The guarded rows of one batch, read with one SELECT per table and kind of guard.

    On PostgreSQL the rows that an Expect names stay locked until the transaction ends, so that what was checked still
    holds at COMMIT. On SQLite the transaction is the only writer.

    Args:
        connection: Inside the transaction that will write.
        changes: The batch.
    """

    def __init__(self, connection: Connection, changes: Sequence[Change]) -> None:
        expected: defaultdict[Table, set[str]] = defaultdict(set)
        absent: defaultdict[tuple[Table, _Columns], set[_Row]] = defaultdict(set)
        for change in changes:
            for guard in change.guards:
                match guard:
                    case Expect(table, key):
                        expected[table].add(key)
                    case Absent(table, values):
                        columns = tuple(sorted(values))
                        absent[table, columns].add(_values(values, columns))
        # Tables in one order in every process, and keys in order within a table: locks cannot be taken crosswise.
        self._versions = {
            table: _versions(connection, table, expected[table])
            for table in sorted(expected, key=lambda table: table.name)
        }
        self._taken: defaultdict[Table, dict[_Columns, set[_Row]]] = defaultdict(dict)
        for (table, columns), rows in absent.items():
            self._taken[table][columns] = _taken(connection, table, columns, rows)

    def failed_guard(self, change: Change) -> Expect | Absent | None:
        """Return the change's first guard that does not hold."""
        for guard in change.guards:
            match guard:
                case Expect(table, key, version):
                    if self._versions[table].get(key) != version:
                        return guard
                case Absent(table, values):
                    columns = tuple(sorted(values))
                    if _values(values, columns) in self._taken[table][columns]:
                        return guard
        return None

    def apply(self, change: Change) -> None:
        """Take over what the change writes, as far as a later guard of the batch may ask for it."""
        for write in change.writes:
            match write:
                case Insert(table, row):
                    self._set_version(table, row, row)
                    self._take(table, row)
                case Update(table, key, values):
                    self._set_version(table, key, values)
                    self._take(table, {**key, **values})
                case Delete(table, key):
                    # A unique value that this frees stays taken for the rest of the batch: its loser reads again.
                    if table in self._versions:
                        self._versions[table].pop(_single_key(table, key), None)

    def _set_version(self, table: Table, key: Mapping[str, object], values: Mapping[str, object]) -> None:
        version = values.get("version")
        if table in self._versions and isinstance(version, int):
            self._versions[table][_single_key(table, key)] = version

    def _take(self, table: Table, values: Mapping[str, object]) -> None:
        if table in self._taken:
            for columns, rows in self._taken[table].items():
                if all(column in values for column in columns):
                    rows.add(_values(values, columns))


def _versions(connection: Connection, table: Table, keys: set[str]) -> dict[str, int]:
    column = _key_column(table)
    query = select(column, table.c.version).where(column.in_(keys)).order_by(column)
    # NO KEY: children of these rows may still be inserted by others. SQLite's compiler leaves the clause out.
    rows = connection.execute(query.with_for_update(key_share=True))
    return {row[0]: row[1] for row in rows}


def _taken(connection: Connection, table: Table, columns: _Columns, wanted: set[_Row]) -> set[_Row]:
    selected = [table.c[column] for column in columns]
    matches = tuple_(*selected).in_(wanted) if len(selected) > 1 else selected[0].in_([value for (value,) in wanted])
    return {tuple(row) for row in connection.execute(select(*selected).where(matches))}


def _key_column(table: Table) -> Column[str]:
    columns = list(table.primary_key.columns)
    if len(columns) != 1:
        raise TypeError(f"Expect needs a single-column primary key, and {table.name} has {len(columns)} columns in it")
    return columns[0]


def _single_key(table: Table, key: Mapping[str, object]) -> str:
    return str(key[_key_column(table).name])


def _values(values: Mapping[str, object], columns: _Columns) -> _Row:
    return tuple([values[column] for column in columns])
