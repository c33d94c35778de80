"""Databases of the simulated world: the product's own storage on SQLite in memory, run inside the loop.

They outlive processes. A transaction runs in one piece, so that the points before and after it are all the points at
which a process can die.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, MetaData, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from chassis.storage.batch import BatchWriter
from chassis.storage.changes import CommitUnknown, StorageUnavailable
from chassis.storage.committer import Committer
from chassis.storage.database import Locked, Transient
from chassis.storage.sqlite import SqliteDatabase
from chassis.storage.store import Store
from tests.simulation.chaos import COMMIT, READ
from tests.simulation.prepared import PreparingConnection
from tests.simulation.process import Process
from tests.simulation.world import SimClock, World

T = TypeVar("T")

_JULIAN_DAY_1970 = 2440587.5
_MS_PER_DAY = 86_400_000.0

_WATCH_ORDERS = """
CREATE TRIGGER watch_orders AFTER UPDATE ON orders
WHEN NEW.revision <> OLD.revision OR NEW.state <> OLD.state OR NEW.version <= OLD.version AND NEW.state <> OLD.state
BEGIN
  SELECT seen(NEW.order_id, OLD.state, NEW.state, OLD.revision, NEW.revision, OLD.version, NEW.version);
END
"""


class Shelf:
    """One service's database, kept between worlds because opening it costs more than a world does.

    Attributes:
        connection: The one connection there is.
        writer: Writes batches to it.
        now_ms: Tells the database's own time.
        seen: Is told of each change of an order.
    """

    def __init__(self, metadata: MetaData) -> None:
        self.now_ms: Callable[[], int] = lambda: 0
        self.seen: Callable[..., None] = lambda *_: None
        self._driver = self._connected()
        self.engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: self._driver)
        metadata.create_all(self.engine)
        # Transactions are begun and ended on the driver, which costs less. A body that reads runs in one piece between
        # them, so that what it sees is one snapshot as it is.
        self.connection: Connection = PreparingConnection(self.engine)
        self.writer = BatchWriter(metadata, self.engine.dialect)
        self._tables = [table.name for table in reversed(metadata.sorted_tables)]
        self._waiters: list[asyncio.Future[None]] = []
        self._earliest: dict[str, int | None] = {}
        if "orders" in metadata.tables:
            self._driver.execute(_WATCH_ORDERS)

    def clear(self, now_ms: Callable[[], int], seen: Callable[..., None]) -> None:
        """Begin anew, for another world."""
        self.now_ms, self.seen = now_ms, seen
        self._waiters.clear()
        self._earliest.clear()
        for table in self._tables:
            self._driver.execute(f"DELETE FROM {table}")

    def read(self, body: Callable[[Connection], T]) -> T:
        """Return what a body reads.

        Raises:
            AssertionError: It wrote something.
        """
        changes = self._driver.total_changes
        result = body(self.connection)
        assert self._driver.total_changes == changes, "a read may not write"
        return result

    def write(self, body: Callable[[Connection], T]) -> T:
        """Return what a body answers, once what it wrote is committed."""
        self._driver.execute("BEGIN")
        try:
            result = body(self.connection)
        except BaseException:
            self._driver.execute("ROLLBACK")
            raise
        self._driver.execute("COMMIT")
        self._earliest.clear()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _wake(waiter)
        return result

    def ask(self, query: Any) -> list[Any]:  # noqa: ANN401  (any statement, rows of any shape)
        """Return what a query finds; for the world's own checks, which nothing ever fails."""
        return list(self.connection.execute(query).all())

    def row(self, query: str, key: str) -> Any:  # noqa: ANN401  (a row of any shape)
        """Return the row that a query with one parameter finds, as a plain tuple, which is cheap; None for none."""
        return self._driver.execute(query, (key,)).fetchone()

    def earliest(self, query: str) -> int | None:
        """Return the one value of a query, looked up again only after something was written."""
        if query not in self._earliest:
            (self._earliest[query],) = self._driver.execute(query).fetchone()
        return self._earliest[query]

    async def written(self, until: float | None) -> None:
        """Wait until something is written, or until that moment of the loop's time."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiters.append(waiter)
        timer = None if until is None else loop.call_at(until, _wake, waiter)
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()

    def _saw(self, *change: object) -> None:
        self.seen(*change)

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        # What the product asks for the database's time with: chassis/storage/clock.py.
        connection.create_function("julianday", 1, lambda _: _JULIAN_DAY_1970 + self.now_ms() / _MS_PER_DAY)
        connection.create_function("seen", 7, self._saw)
        return connection


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


@cache
def shelf(metadata: MetaData) -> Shelf:
    """Return the database of a service's tables."""
    return Shelf(metadata)


class SimDatabase(SqliteDatabase):
    """The Database port of one process."""

    def __init__(self, kept: Shelf, process: Process, world: World) -> None:
        # Everything else that the base sets up belongs to files and threads, which there are none of here.
        self.failed = asyncio.Event()
        self._engine = kept.engine
        self._shelf = kept
        self._process = process
        self._world = world

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run the body in a write transaction and commit it, or meet a fault."""
        place = f"{self._process.service}.commit"
        await self._world.point(self._process, f"{place}:before")
        await asyncio.sleep(0.002)
        self._process.check()
        match self._world.chaos.draw(COMMIT, place):
            case "away":
                raise StorageUnavailable("away")
            case "deadlock":
                raise Transient("deadlock")
            case "locked":
                raise Locked("another transaction kept a row")
            case "cut_before":
                raise CommitUnknown("cut before COMMIT")
            case "cut_late":
                # The connection is gone, and the server is still at it.
                self._world.later(self._world.chaos.pick(0.005, 0.1, 5.0), self._late, body)
                raise CommitUnknown("cut while COMMIT was under way")
            case "cut_after":
                self._written(body)
                raise CommitUnknown("cut after COMMIT")
            case _:
                pass
        result: T = self._written(body)
        await self._world.point(self._process, f"{place}:after")
        return result

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run the body and write nothing."""
        await self._process.gate()
        await asyncio.sleep(0)
        self._process.check()
        if self._world.chaos.draw(READ, f"{self._process.service}.read"):
            raise StorageUnavailable("away")
        return self._shelf.read(body)

    async def close(self) -> None:
        """Leave it open: it belongs to the world."""

    def _written(self, body: Callable[[Connection], T]) -> T:
        try:
            return self._shelf.write(body)
        except (DBAPIError, sqlite3.Error) as error:
            raise self._failure(error, StorageUnavailable) from error

    def _late(self, body: Callable[[Connection], object]) -> None:
        with suppress(Exception):  # nobody is there any more who could be told
            self._written(body)


def open_store(metadata: MetaData, process: Process, world: World) -> Store:
    """Return a process's store."""
    kept = shelf(metadata)
    database = SimDatabase(kept, process, world)
    clock = SimClock(world, process)
    return Store(database, Committer(database, kept.writer, clock, None, world.luck.random))
