"""Fills a database with orders: what one order has left behind in all tables, many times over, by the server itself.

The first order of the database is the pattern: what the adapters wrote of it is copied with other ids, other times,
another customer, and now and then another fate. A column that a later migration adds is copied unnamed.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.scale.copies import COPIES, ONCE, TABLES, Copy
from tests.scale.frame import Frame
from tests.scale.shelf import CLOCK, execute

# So many orders are made faster with keys and indexes as they are.
_FEW = 50_000

_YEAR_MS = 31_536_000_000

# How many orders a customer has made, by the median.
_ORDERS_OF_A_CUSTOMER = 4

# What need not be done while nobody else is there: waiting for the disk.
_FAST = "SET synchronous_commit = off"
_ROOM = ("SET maintenance_work_mem = '1GB'", "SET max_parallel_maintenance_workers = 0")


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is filled in.

    Attributes:
        rows: How many orders.
        orders: How many they stand for.
        newest_ms: When the newest was placed.
    """

    rows: int
    orders: int
    newest_ms: int


async def fill(url: str, rows: int, orders: int | None = None, said: Callable[[str], object] | None = None) -> None:
    """Add orders to a database in which one order has lived, and learn its statistics.

    Args:
        url: The database.
        rows: How many orders; their times are spread over the last year.
        orders: How many they stand for: of so many the newest are under way; as many as there are by default.
        said: Hears how far it is, if it takes long.
    """
    newest = CLOCK.now() - timedelta(hours=1)
    size = _Size(rows, orders or rows, int(newest.timestamp() * 1000))
    await execute(url, *map(_pattern, COPIES))
    if rows > _FEW:
        await _in_bulk(url, size, said)
    else:
        # The parents of copied rows are not looked for.
        await execute(url, _FAST, "SET session_replication_role = replica", *(_copied(each, size) for each in COPIES))
        await execute(url, *(f"VACUUM ANALYZE {name}" for name in TABLES))
    await execute(url, *(f"DROP TABLE pattern_{name}" for name in TABLES))


def _pattern(copy: Copy) -> str:
    """Return the statement that keeps a table's first rows, in the order of its key: so sorting the copies is quick."""
    name, key = copy.table.name, ", ".join(column.name for column in copy.table.primary_key)
    return f"CREATE UNLOGGED TABLE pattern_{name} AS SELECT * FROM {name} ORDER BY {key}"


async def _in_bulk(url: str, size: _Size, said: Callable[[str], object] | None) -> None:
    """Fill tables that have no keys and no indexes yet, two at a time, and build those at the end.

    An index that is built at once takes a fifth of the time, and is packed as after a REINDEX. What is written to a
    table that the same transaction has emptied is not written to the log as well (`wal_level = minimal`).
    """
    frame = await Frame.of(url, TABLES)
    await execute(url, *frame.taken_down(), *(f"ANALYZE pattern_{name}" for name in TABLES))
    left = iter(COPIES)

    async def some() -> None:
        for copy in left:
            name, started = copy.table.name, time.monotonic()
            await execute(
                url,
                _FAST,
                *_ROOM,
                "BEGIN",
                f"TRUNCATE {name}",
                f"INSERT INTO {name} SELECT * FROM pattern_{name}",
                _copied(copy, size),
                *frame.built(name),
                "COMMIT",
            )
            if said is not None:
                said(f"{name}: {time.monotonic() - started:.0f} s")

    await asyncio.gather(some(), some())
    # Not before: a row is visible to all, and found in an index alone, when nobody is left who began before it.
    await execute(url, *(f"VACUUM ANALYZE {name}" for name in TABLES))
    await execute(url, *_ROOM, *frame.tied())
    if await Frame.of(url, TABLES) != frame:
        raise RuntimeError("the keys and indexes are not those of before")


def _copied(copy: Copy, size: _Size) -> str:
    """Return the statement that makes a table's rows."""
    names = [column.name for column in copy.table.columns]
    values = ", ".join(copy.columns.get(name, f"t.{name}") for name in names)
    once = "".join(f", {made} AS {name}" for name, made in ONCE.items() if f"o.{name}" in values)
    newer = f"({size.rows} - n)::bigint"
    numbers = (
        f"SELECT n, {size.newest_ms} - {newer} * {_YEAR_MS} / {size.rows} AS made, "
        f"{newer} * {size.orders} / {size.rows} AS age, {size.orders}::bigint AS orders, "
        f"{max(1, size.rows // _ORDERS_OF_A_CUSTOMER)} AS customers "
        f"FROM generate_series(1::bigint, {size.rows}) AS n"
    )
    # OFFSET keeps PostgreSQL from making the ids anew in each row of an order.
    return (
        f"INSERT INTO {copy.table.name} ({', '.join(names)}) SELECT {values} FROM "
        f"(SELECT *{once} FROM ({numbers}) AS n OFFSET 0) AS o, pattern_{copy.table.name} AS t WHERE {copy.of}"
    )


async def pretend(url: str, orders: int) -> None:
    """Have the planner take the tables of a small database for those of a big one.

    It reckons with rows per page as the statistics say, times the pages that there are. So the rows of a big table are
    put down for the pages of the small one; the shares of values, which ANALYZE has found, stay as they are.
    """
    (counted,) = await execute(url, "SELECT count(*) FROM orders")
    factor = orders / int(str(counted[0][0]))
    await execute(
        url,
        *(
            f"SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', '{name}', 'reltuples',"
            f" (reltuples * {factor})::real, 'relpages', relpages) FROM pg_class WHERE oid = '{name}'::regclass"
            for name in TABLES
        ),
    )
