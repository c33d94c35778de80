"""What callers of the storage say and hear: changes, their guards, and the ways a commit can end. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Table


@dataclass(frozen=True, slots=True)
class Expect:
    """Guard: the row exists and has exactly this version.

    Attributes:
        table: A table with a single-column text primary key and a whole-number column called `version`.
        key: The primary key's value.
        version: What `version` must be.
    """

    table: Table
    key: str
    version: int


@dataclass(frozen=True, slots=True)
class Absent:
    """Guard: no row with these values exists.

    Attributes:
        table: The table to look in.
        values: All columns of one primary or unique key. The key's constraint is what holds against other processes.
    """

    table: Table
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Fewer:
    """Guard: fewer than so many rows have these values and are not older than `since`.

    Rows that earlier changes of the same batch insert count. Those of other processes count once they are committed: of
    several processes that write at the same moment each may let the last one in.

    Attributes:
        table: The table to count in.
        values: Columns that an index begins with.
        column: The index's next column, which grows with time.
        since: Its least value that counts.
        than: How many are too many.
    """

    table: Table
    values: Mapping[str, object]
    column: str
    since: object
    than: int


Guard = Expect | Absent | Fewer


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row.

    Attributes:
        table: Where it goes.
        row: Every column without a default in the database itself; Python-side column defaults are not applied.
    """

    table: Table
    row: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Update:
    """New values for one row. A row that is not there is not an error: guard with Expect where it must be.

    Attributes:
        table: Where it is.
        key: All columns of the primary key.
        values: The columns to set; none of the primary key's.
    """

    table: Table
    key: Mapping[str, object]
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of one row. A row that is not there is not an error.

    Attributes:
        table: Where it is.
        key: All columns of the primary key.
    """

    table: Table
    key: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Change:
    """One atomic unit: all guards hold and all writes happen, or nothing does.

    Writes to different rows are a set, not a sequence: the store inserts parents before children, then updates, then
    deletes children before parents. Writes to one row keep their order.

    Attributes:
        guards: What must be true when the change is written.
        writes: What is written.
    """

    guards: tuple[Guard, ...]
    writes: tuple[Insert | Update | Delete, ...]


class Conflict(Exception):
    """A guard did not hold, or a unique key was taken: nothing of this change was written.

    Attributes:
        guard: The guard that failed; None when a unique key that no guard names was taken.
    """

    def __init__(self, guard: Guard | None) -> None:
        super().__init__(_describe(guard))
        self.guard = guard


class CommitUnknown(Exception):
    """The transaction may or may not have been committed. Read again to settle it; never assume."""


class StorageUnavailable(Exception):
    """Certainly not written (or not read): the database is away, busy or full. Trying again later may help."""


class StatementRefused(Exception):
    """The database refused a statement for what it is: a defect of the caller. Nothing was written.

    A missing table, a foreign key without its row, a NULL where none may be, a value that does not fit its column.
    """


def _describe(guard: Guard | None) -> str:
    """Return a sentence without any value of a row: values may be personal."""
    match guard:
        case Expect(table, _, version):
            return f"a row of {table.name} is no longer at version {version}"
        case Absent(table, values):
            return f"{table.name} already has a row with this {', '.join(values)}"
        case Fewer(table, values):
            return f"{table.name} has too many rows with this {', '.join(values)}"
        case None:
            return "a unique key is already taken"
