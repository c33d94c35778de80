"""Taking away what nobody needs any more, a few rows at a time, beside whoever works on the same tables.

A rule goes through a table in the order of its primary key, a window of some hundred rows after the other. What goes of
a window is decided and taken away by one statement in a transaction of its own: it reads the window's rows through the
key's index however many of them go, locks only those that go, and is over in milliseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, delete, func, select, tuple_, update

from chassis.storage.store import Store
from kernel.clock import Clock
from kernel.ids import least_id_at

# A window took 40 ms as a rule and 143 at worst, where seven rows go for each of it: no call waits long for one.
WINDOW = 500

# An id is made a moment before its row says when it was.
_APART = timedelta(minutes=1)

Goes = Callable[[int], ColumnElement[bool]]
"""Says which rows of the table that is gone through are meant, given a time in milliseconds since 1970."""

Cleared = Callable[[Row[Any]], Mapping[str, object]]
"""Returns what takes the place of what goes, given a row of the primary key and the columns that it replaces."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes, and when.

    Attributes:
        name: One word.
        what: What it is, for people: "journal entries of orders that are over".
        days: After how many days it goes, unless the operator says otherwise.
        through: The table that is gone through.
        goes: Which of its rows are meant.
        children: The table whose rows with the same first key column go; None when the rows themselves do.
        only: Which of the children go; all of them where it is None.
        by_time: Whether its key is an id that sorts by time; then nothing younger is looked at.
        clears: The columns that are emptied where the rows themselves stay, and with what.
    """

    name: str
    what: str
    days: int
    through: Table
    goes: Goes
    children: Table | None = None
    only: ColumnElement[bool] | None = None
    by_time: bool = False
    clears: tuple[tuple[str, ...], Cleared] | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a rule came to.

    Attributes:
        rows: That went, or would.
        windows: That it took.
        slowest_seconds: What the slowest of them took.
    """

    rows: int
    windows: int
    slowest_seconds: float


_Place = tuple[Any, ...]


def _untold(_taken: Taken) -> None:
    """Tell nobody."""


async def keep_to(
    store: Store,
    rule: Rule,
    days: int,
    clock: Clock,
    *,
    dry_run: bool,
    window: int = WINDOW,
    told: Callable[[Taken], None] = _untold,
) -> Taken:
    """Take away what is older than some days, and return what that was.

    It rests after each window for as long as that took, so that it never takes more than half of a database's time.

    Args:
        store: Where the tables are.
        rule: What goes.
        days: After how many days; 0 for at once.
        clock: The time.
        dry_run: Only count.
        window: How many rows are gone through at a time.
        told: Told after each window what it has come to so far.

    Raises:
        StorageUnavailable, CommitUnknown: The database is away. Starting again goes on from where that was.
    """
    before = clock.now() - timedelta(days=days)
    taken = Taken(0, 0, 0.0)
    after: _Place | None = None
    while True:
        started = clock.monotonic()
        last = await store.read(partial(_end_of_window, rule, before, after, window))
        work = partial(_counted if dry_run else _gone, rule, before, after, last)
        rows = await (store.read(work) if dry_run else store.transact(work))
        took = clock.monotonic() - started
        taken = Taken(taken.rows + rows, taken.windows + 1, max(taken.slowest_seconds, took))
        told(taken)
        if last is None:
            return taken
        after = last
        await clock.sleep(took)


def _end_of_window(
    rule: Rule, before: datetime, after: _Place | None, window: int, connection: Connection
) -> _Place | None:
    """Return the last key of the window that begins after a key; None when it is the last one."""
    key = rule.through.primary_key.columns
    query = select(*key).where(*_window(rule, before, after, None)).order_by(*key).offset(window - 1).limit(1)
    row = connection.execute(query).first()
    return None if row is None else tuple(row)


def _window(rule: Rule, before: datetime, after: _Place | None, last: _Place | None) -> list[ColumnElement[bool]]:
    key = rule.through.primary_key.columns
    bounds: list[ColumnElement[bool]] = []
    if after is not None:
        bounds.append(tuple_(*key) > tuple_(*after))
    if last is not None:
        bounds.append(tuple_(*key) <= tuple_(*last))
    if rule.by_time:
        (first, *_) = key
        bounds.append(first < least_id_at(max(before, datetime(2000, 1, 1, tzinfo=UTC)) + _APART))
    return bounds


def _meant(rule: Rule, before: datetime, after: _Place | None, last: _Place | None) -> ColumnElement[bool]:
    """Return which rows go: of the table itself, or of its children."""
    old = int(before.timestamp() * 1000)
    rows = and_(*_window(rule, before, after, last), rule.goes(old))
    if rule.children is None:
        return rows
    (key,) = rule.through.primary_key.columns
    meant = rule.children.c[key.name].in_(select(key).where(rows))
    return meant if rule.only is None else and_(meant, rule.only)


def _counted(rule: Rule, before: datetime, after: _Place | None, last: _Place | None, connection: Connection) -> int:
    table = rule.through if rule.children is None else rule.children
    query: Select[Any] = select(func.count()).select_from(table).where(_meant(rule, before, after, last))
    count: int = connection.execute(query).scalar_one()
    return count


def _gone(rule: Rule, before: datetime, after: _Place | None, last: _Place | None, connection: Connection) -> int:
    meant = _meant(rule, before, after, last)
    if rule.clears is not None:
        return _emptied(rule.through, meant, *rule.clears, connection)
    return connection.execute(delete(rule.through if rule.children is None else rule.children).where(meant)).rowcount


def _emptied(
    table: Table, meant: ColumnElement[bool], columns: tuple[str, ...], cleared: Cleared, connection: Connection
) -> int:
    (key,) = table.primary_key.columns
    # Locked, so that what is emptied is what was read.
    rows = connection.execute(select(key, *(table.c[name] for name in columns)).where(meant).with_for_update()).all()
    for row in rows:
        connection.execute(update(table).where(key == row[0]).values(dict(cleared(row))))
    return len(rows)
