"""What the guards of a batch look at: the rows as the database has them, and what the batch has changed so far."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Table
from sqlalchemy.engine.interfaces import DBAPICursor

from chassis.storage.changes import Change, Delete, Expect, Fewer, Guard, Insert, Update
from chassis.storage.guards import GuardReader
from chassis.storage.statements import Row

_Columns = tuple[str, ...]


class View:
    """The guarded rows of one batch, read with one SELECT per table and kind of guard.

    On PostgreSQL the rows that an Expect names stay locked until the transaction ends, so that what was checked still
    holds at COMMIT. On SQLite the transaction is the only writer.

    Args:
        reader: Finds the rows.
        cursor: Inside the transaction that will write.
        changes: The batch.
    """

    def __init__(self, reader: GuardReader, cursor: DBAPICursor, changes: Sequence[Change]) -> None:
        expected: defaultdict[Table, set[Row]] = defaultdict(set)
        absent: defaultdict[tuple[Table, _Columns], set[Row]] = defaultdict(set)
        fewer: defaultdict[tuple[Table, _Columns, str], set[Row]] = defaultdict(set)
        for change in changes:
            for guard in change.guards:
                if isinstance(guard, Expect):
                    expected[guard.table].add((guard.key,))
                elif isinstance(guard, Fewer):
                    columns = tuple(guard.values)
                    fewer[guard.table, columns, guard.column].add((*_values(guard.values, columns), guard.since))
                else:
                    columns = tuple(guard.values)
                    absent[guard.table, columns].add(_values(guard.values, columns))
        # Tables in one order in every process: row locks are never taken crosswise.
        by_name = sorted(expected, key=lambda table: table.name)
        self._versions: dict[Table, dict[Row, object]] = {
            table: reader.versions(cursor, table, expected[table]) for table in by_name
        }
        self._taken: defaultdict[Table, dict[_Columns, set[Row]]] = defaultdict(dict)
        for (table, columns), rows in absent.items():
            self._taken[table][columns] = reader.taken(cursor, table, columns, rows)
        self._counts = {place: reader.counts(cursor, *place, rows) for place, rows in fewer.items()}
        # What the batch itself adds is new, and not older than any guard asks for.
        self._added: defaultdict[Table, dict[_Columns, Counter[Row]]] = defaultdict(dict)
        for table, columns, _ in fewer:
            self._added[table][columns] = Counter()

    def failed_guard(self, change: Change) -> Guard | None:
        """Return the change's first guard that does not hold."""
        for guard in change.guards:
            if isinstance(guard, Expect):
                if self._versions[guard.table].get((guard.key,)) != guard.version:
                    return guard
            elif isinstance(guard, Fewer):
                if self._count(guard) >= guard.than:
                    return guard
            else:
                columns = tuple(guard.values)
                if _values(guard.values, columns) in self._taken[guard.table][columns]:
                    return guard
        return None

    def apply(self, write: Insert | Update | Delete, key: Row) -> None:
        """Take over what a write does to the row with this primary key, as far as a later guard may ask for it."""
        versions = self._versions.get(write.table)
        taken = self._taken.get(write.table)
        if isinstance(write, Delete):
            self._forget(write, key)
            return
        if isinstance(write, Insert):
            for columns, added in self._added.get(write.table, {}).items():
                added[_values(write.row, columns)] += 1
        values = write.row if isinstance(write, Insert) else write.values
        if versions is not None and "version" in values:
            versions[key] = values["version"]
        if taken is not None:
            whole = values if isinstance(write, Insert) else {**write.key, **values}
            for columns, rows in taken.items():
                if all(column in whole for column in columns):
                    rows.add(_values(whole, columns))

    def _count(self, guard: Fewer) -> int:
        columns = tuple(guard.values)
        key = _values(guard.values, columns)
        stored = self._counts[guard.table, columns, guard.column][*key, guard.since]
        return stored + self._added[guard.table][columns][key]

    def _forget(self, write: Delete, key: Row) -> None:
        """Take a row away. Unique values of it other than its key count as taken until the batch ends."""
        if write.table in self._versions:
            self._versions[write.table].pop(key, None)
        for columns, rows in self._taken.get(write.table, {}).items():
            if all(column in write.key for column in columns):
                rows.discard(_values(write.key, columns))


def _values(values: Mapping[str, object], columns: _Columns) -> Row:
    return tuple([values[column] for column in columns])
