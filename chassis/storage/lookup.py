"""A SELECT of one row that stands in the way of every order: compiled once, and run on the driver's cursor.

SQLAlchemy's own execution takes several times as long as SQLite does to find a row by its key.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Select

Processor = Callable[[Any], Any]


class Lookup:
    """One statement.

    Args:
        query: Its parameters are all named, none of them expands to a list, and no two of its columns have one name.
    """

    def __init__(self, query: Select[Any]) -> None:
        self._query = query
        self._compiled: dict[str, Compiled] = {}

    def one(self, connection: Connection, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401  (a named tuple of its columns)
        """Return the only row that it finds, in the snapshot of the connection's transaction.

        Raises:
            KeyError: A parameter is missing.
            ValueError: It finds none, or several.
        """
        compiled = self.compiled(connection.dialect)
        if not connection.in_transaction():
            connection.begin()
        cursor = connection.connection.cursor()
        cursor.execute(compiled.sql, compiled.values(parameters))
        (row,) = cursor.fetchall()
        return compiled.named(row)

    def compiled(self, dialect: Dialect) -> "Compiled":
        """Return the statement for one kind of database."""
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = Compiled(self._query, dialect)
        return compiled


class Compiled:
    """The statement for one kind of database.

    Attributes:
        sql: The text for the driver.
    """

    def __init__(self, query: Select[Any], dialect: Dialect) -> None:
        compiled = query.compile(dialect=dialect)
        self.sql = str(compiled)
        self._names = list(compiled.positiontup or ())
        kinds = [compiled.binds[name].type.dialect_impl(dialect) for name in self._names]
        self._going_in = _processors(kind.bind_processor(dialect) for kind in kinds)
        columns = list(query.selected_columns)
        found = [column.type.dialect_impl(dialect) for column in columns]
        self._coming_out = _processors(kind.result_processor(dialect, None) for kind in found)
        make: Callable[..., Any] = namedtuple  # noqa: PYI024  (its columns are known only here)
        self._row = make("Row", [column.name for column in columns])

    def values(self, parameters: Mapping[str, object]) -> tuple[object, ...]:
        """Return the parameters in the order of the placeholders."""
        return tuple(_processed([parameters[name] for name in self._names], self._going_in))

    def named(self, row: Iterable[object]) -> Any:  # noqa: ANN401  (as above)
        """Return the driver's row as ours."""
        return self._row(*_processed(list(row), self._coming_out))


def _processors(each: Iterable[Processor | None]) -> list[tuple[int, Processor]]:
    return [(place, processor) for place, processor in enumerate(each) if processor is not None]


def _processed(values: list[object], processors: list[tuple[int, Processor]]) -> list[object]:
    for place, processor in processors:
        values[place] = processor(values[place])
    return values
