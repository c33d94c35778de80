"""SQL that SQLAlchemy compiles once per (table, kind, columns), to be run on the driver with plain tuples.

Compiling and binding anew for each batch would double the CPU of a change.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter

from sqlalchemy import ColumnElement, Dialect, Table, and_, bindparam, delete, insert, update
from sqlalchemy.sql.dml import UpdateBase

from chassis.storage.changes import Delete, Insert, Update

_Row = tuple[object, ...]

# A column of the primary key may not share its parameter's name with a column that is set.
_KEY = "key_"


class Statement:
    """One compiled statement and how a write becomes its parameters.

    Attributes:
        sql: The text for the driver.
    """

    def __init__(self, source: UpdateBase, table: Table, dialect: Dialect) -> None:
        compiled = source.compile(dialect=dialect)
        names: list[str] = list(getattr(compiled, "positiontup", None) or ())
        self.sql = str(compiled)
        self._values = _getter(names)
        self._processors = tuple(
            (position, processor)
            for position, name in enumerate(names)
            if (processor := table.c[name.removeprefix(_KEY)].type.dialect_impl(dialect).bind_processor(dialect))
        )

    def parameters(self, values: Mapping[str, object]) -> _Row:
        """Return the values in the order of the statement's placeholders.

        Raises:
            KeyError: A column is missing: one with a Python-side default, which this path does not apply.
        """
        row = self._values(values)
        if not self._processors:
            return row
        processed = list(row)
        for position, processor in self._processors:
            processed[position] = processor(processed[position])
        return tuple(processed)


class Statements:
    """The statements that one database has needed so far."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[tuple[object, ...], Statement] = {}

    def insert(self, write: Insert) -> tuple[Statement, _Row]:
        """Return the statement and the parameters that insert the row."""
        columns = tuple(write.row)
        statement = self._known.get((Insert, write.table, columns))
        if statement is None:
            source = insert(write.table).values({column: bindparam(column) for column in columns})
            statement = self._learn((Insert, write.table, columns), source, write.table)
        return statement, statement.parameters(write.row)

    def update(self, write: Update) -> tuple[Statement, _Row]:
        """Return the statement and the parameters that update the row."""
        columns = tuple(write.values)
        statement = self._known.get((Update, write.table, columns))
        if statement is None:
            source = update(write.table).where(_is_row(write.table))
            source = source.values({column: bindparam(column) for column in columns})
            statement = self._learn((Update, write.table, columns), source, write.table)
        return statement, statement.parameters({**write.values, **_prefixed(write.key)})

    def delete(self, write: Delete) -> tuple[Statement, _Row]:
        """Return the statement and the parameters that delete the row."""
        statement = self._known.get((Delete, write.table))
        if statement is None:
            statement = self._learn((Delete, write.table), delete(write.table).where(_is_row(write.table)), write.table)
        return statement, statement.parameters(_prefixed(write.key))

    def _learn(self, key: tuple[object, ...], source: UpdateBase, table: Table) -> Statement:
        statement = self._known[key] = Statement(source, table, self._dialect)
        return statement


def _is_row(table: Table) -> ColumnElement[bool]:
    return and_(*(column == bindparam(_KEY + column.name) for column in table.primary_key.columns))


def _prefixed(key: Mapping[str, object]) -> dict[str, object]:
    return {_KEY + column: value for column, value in key.items()}


def _getter(names: list[str]) -> Callable[[Mapping[str, object]], _Row]:
    if len(names) == 1:
        return lambda values: (values[names[0]],)
    return itemgetter(*names)
