"""What happens inside the transaction of one batch: guards are checked, then what is left is written in bulk."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import Connection, Dialect, MetaData
from sqlalchemy.engine.interfaces import DBAPICursor

from chassis.storage.changes import Change, Delete, Guard, Insert, Update
from chassis.storage.guards import GuardReader
from chassis.storage.statements import Row, Statement, Statements, getter
from chassis.storage.view import View


class BatchWriter:
    """Writes batches of changes, and keeps the compiled statements between them.

    Args:
        metadata: The tables.
        dialect: The database's.
    """

    def __init__(self, metadata: MetaData, dialect: Dialect) -> None:
        self._statements = Statements(metadata, dialect)
        self._guards = GuardReader(dialect)
        self._keys = {table: getter(table.primary_key.columns.keys()) for table in metadata.sorted_tables}

    def write(self, connection: Connection, changes: Sequence[Change]) -> list[Guard | None]:
        """Write all changes whose guards hold, inside the connection's transaction.

        Returns:
            For each change None, or the guard that failed and kept it from being written.
        """
        cursor = connection.connection.cursor()
        view = View(self._guards, cursor, changes)
        plan = _Plan(self._statements)
        failed = []
        for change in changes:
            guard = view.failed_guard(change)
            failed.append(guard)
            if guard is None:
                for write in change.writes:
                    key = self._keys[write.table](write.row if isinstance(write, Insert) else write.key)
                    view.apply(write, key)
                    plan.add(write, key)
        plan.execute(cursor)
        return failed


class _Plan:
    """Groups writes by statement. A row that is written again starts a new wave: writes to one row keep their order."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._wave: dict[Statement, list[tuple[Row, Row]]] = {}
        self._waves = [self._wave]
        self._touched: set[Row] = set()

    def add(self, write: Insert | Update | Delete, key: Row) -> None:
        statement, row = self._statements.of(write)
        row_of_table = (write.table, *key)
        if row_of_table in self._touched:
            self._touched.clear()
            self._wave = {}
            self._waves.append(self._wave)
        self._touched.add(row_of_table)
        rows = self._wave.get(statement)
        if rows is None:
            rows = self._wave[statement] = []
        rows.append((key, row))

    def execute(self, cursor: DBAPICursor) -> None:
        for wave in self._waves:
            for statement in sorted(wave, key=attrgetter("order")):
                # By primary key: two processes that write the same rows meet in one order and do not deadlock.
                rows = sorted(wave[statement])
                cursor.executemany(statement.sql, [row for _, row in rows])
