"""What happens inside the transaction of one batch: guards are checked, then what is left is written in bulk."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import Connection, Dialect, MetaData, Table

from chassis.storage.changes import Absent, Change, Delete, Expect, Insert, Update
from chassis.storage.statements import Statement, Statements
from chassis.storage.view import View

_Row = tuple[object, ...]


class BatchWriter:
    """Writes batches of changes, and keeps the compiled statements between them.

    Args:
        metadata: The tables; their foreign keys give the order of writes.
        dialect: The database's.
    """

    def __init__(self, metadata: MetaData, dialect: Dialect) -> None:
        self._ranks = {table: rank for rank, table in enumerate(metadata.sorted_tables)}
        self._statements = Statements(dialect)

    def write(self, connection: Connection, changes: Sequence[Change]) -> list[Expect | Absent | None]:
        """Write all changes whose guards hold, inside the connection's transaction.

        Returns:
            For each change None, or the guard that failed and kept it from being written.
        """
        view = View(connection, changes)
        plan = _Plan(self._ranks, self._statements)
        failed = []
        for change in changes:
            guard = view.failed_guard(change)
            failed.append(guard)
            if guard is None:
                view.apply(change)
                for write in change.writes:
                    plan.add(write)
        plan.execute(connection)
        return failed


class _Group:
    """Rows for one statement."""

    def __init__(self, order: tuple[int, int], statement: Statement) -> None:
        self.order = order
        self.statement = statement
        self.rows: list[tuple[_Row, _Row]] = []

    def execute(self, connection: Connection) -> None:
        # By primary key, so that two processes that write the same rows meet in one order and do not deadlock.
        self.rows.sort()
        connection.exec_driver_sql(self.statement.sql, [row for _, row in self.rows])


class _Plan:
    """Groups writes by statement. A row that is written again starts a new wave: writes to one row keep their order."""

    def __init__(self, ranks: dict[Table, int], statements: Statements) -> None:
        self._ranks = ranks
        self._statements = statements
        self._waves: list[dict[Statement, _Group]] = [{}]
        self._touched: set[tuple[Table, _Row]] = set()

    def add(self, write: Insert | Update | Delete) -> None:
        rank = self._ranks[write.table]
        match write:
            case Insert(table, row):
                key, order = row, (0, rank)
                statement, parameters = self._statements.insert(write)
            case Update(table, key):
                order = (1, rank)
                statement, parameters = self._statements.update(write)
            case Delete(table, key):
                order = (2, -rank)
                statement, parameters = self._statements.delete(write)
        identity = tuple([key[column.name] for column in table.primary_key.columns])
        if (table, identity) in self._touched:
            self._touched.clear()
            self._waves.append({})
        self._touched.add((table, identity))
        group = self._waves[-1].get(statement)
        if group is None:
            group = self._waves[-1][statement] = _Group(order, statement)
        group.rows.append((identity, parameters))

    def execute(self, connection: Connection) -> None:
        for wave in self._waves:
            for group in sorted(wave.values(), key=attrgetter("order")):
                group.execute(connection)
