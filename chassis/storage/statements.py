"""SQL that SQLAlchemy compiles once, to be run on the driver's cursor with plain tuples.

Going through SQLAlchemy's execution for every batch would double the CPU of a change.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter

from sqlalchemy import Dialect, MetaData, Table, and_, bindparam, delete, insert, update
from sqlalchemy.sql.dml import UpdateBase

from chassis.storage.changes import Delete, Insert, Update

Row = tuple[object, ...]
Getter = Callable[[Mapping[str, object]], Row]

# A parameter for the primary key may not be called like a column that is set.
_KEY = "key_"


class Statement:
    """One INSERT, UPDATE or DELETE, to be executed with many rows.

    Attributes:
        sql: The text for the driver.
        order: Where it stands among others, so that foreign keys hold: parents are inserted before children, then come
            updates, then deletes, children before parents.
    """

    def __init__(self, source: UpdateBase, table: Table, order: tuple[int, int], dialect: Dialect) -> None:
        compiled = source.compile(dialect=dialect)
        names = list(compiled.positiontup or ())
        self.sql = str(compiled)
        self.order = order
        self._values = getter([name for name in names if not name.startswith(_KEY)])
        self._key = getter([name.removeprefix(_KEY) for name in names if name.startswith(_KEY)])
        types = [table.c[name.removeprefix(_KEY)].type for name in names]
        processors = [kind.dialect_impl(dialect).bind_processor(dialect) for kind in types]
        self._processors = [(position, processor) for position, processor in enumerate(processors) if processor]

    def row(self, values: Mapping[str, object], key: Mapping[str, object]) -> Row:
        """Return the values to set and then the key, in the order of the statement's placeholders.

        Raises:
            KeyError: A column is missing.
        """
        row = self._values(values) + self._key(key)
        if not self._processors:
            return row
        processed = list(row)
        for position, processor in self._processors:
            processed[position] = processor(processed[position])
        return tuple(processed)


class Statements:
    """The statements that one database has needed so far.

    Args:
        metadata: The tables; their foreign keys give the order of statements.
        dialect: The database's.
    """

    def __init__(self, metadata: MetaData, dialect: Dialect) -> None:
        self._dialect = dialect
        self._ranks = {table: rank for rank, table in enumerate(metadata.sorted_tables)}
        self._known: dict[tuple[object, ...], Statement] = {}

    def of(self, write: Insert | Update | Delete) -> tuple[Statement, Row]:
        """Return the statement and its parameters."""
        if isinstance(write, Insert):
            shape: tuple[object, ...] = (Insert, write.table, *write.row)
            statement = self._known.get(shape) or self._learn(shape, write)
            return statement, statement.row(write.row, {})
        if isinstance(write, Update):
            shape = (Update, write.table, *write.values)
            statement = self._known.get(shape) or self._learn(shape, write)
            return statement, statement.row(write.values, write.key)
        shape = (Delete, write.table)
        statement = self._known.get(shape) or self._learn(shape, write)
        return statement, statement.row({}, write.key)

    def _learn(self, shape: tuple[object, ...], write: Insert | Update | Delete) -> Statement:
        table = write.table
        rank = self._ranks[table]
        is_row = and_(*(column == bindparam(_KEY + column.name) for column in table.primary_key.columns))
        source: UpdateBase
        match write:
            case Insert(row=row):
                order = (0, rank)
                source = insert(table).values({column: bindparam(column) for column in row})
            case Update(values=values):
                order = (1, rank)
                source = update(table).where(is_row).values({column: bindparam(column) for column in values})
            case Delete():
                order = (2, -rank)
                source = delete(table).where(is_row)
        statement = self._known[shape] = Statement(source, table, order, self._dialect)
        return statement


def getter(names: list[str]) -> Getter:
    """Return a function that takes these values out of a mapping as a tuple, also a single one, unlike itemgetter."""
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda values: (values[name],)
        case _:
            return itemgetter(*names)
