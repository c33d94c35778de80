"""The store of one service: commits that are durable once they return, and reads that never wait for them."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, MetaData, make_url

from chassis.storage.batch import BatchWriter
from chassis.storage.changes import Change
from chassis.storage.clock import database_now
from chassis.storage.committer import CommitStats, Committer, Observer
from chassis.storage.database import Database, Transient
from chassis.storage.lookup import Lookup
from kernel.clock import Clock, SystemClock

T = TypeVar("T")

_logger = logging.getLogger(__name__)

__all__ = ["CommitStats", "Store", "database_now", "open_store"]


class Store:
    """Tables in SQLite or PostgreSQL. Opened with open_store; all methods belong to the loop it was opened on."""

    def __init__(self, database: Database, committer: Committer) -> None:
        self._database = database
        self._committer = committer
        self._closed = False

    @property
    def stats(self) -> CommitStats:
        """What has been committed since the store was opened."""
        return self._committer.stats

    @property
    def failed(self) -> asyncio.Event:
        """Set when the disk failed under a commit: the process must exit, and recover by starting again."""
        return self._database.failed

    async def commit(self, change: Change) -> None:
        """Write the change, and return once the COMMIT that holds it is durable.

        Changes that wait at the same time share a transaction. A caller that is cancelled leaves its change to be
        written.

        Raises:
            Conflict: A guard did not hold or a unique key is taken; nothing of this change was written.
            CommitUnknown: It may or may not have been written; read again to settle it.
            StorageUnavailable: Certainly not written; the database is away, busy or full.
            StatementRefused: Certainly not written; the change does not fit the tables.
        """
        await self._committer.submit(change)

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Return what the body reads. All its statements see one snapshot, and it can write nothing.

        The body runs off the event loop or in its own coroutine switch: it may only use its connection, and it may be
        run again when the connection was lost.

        Raises:
            StorageUnavailable: The database is away or busy.
            StatementRefused: A statement does not fit the tables.
        """
        try:
            return await self._database.read(body)
        except Transient:
            return await self._database.read(body)

    async def find(self, lookup: Lookup, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401  (see Lookup.one)
        """Return the only row that a lookup finds: on PostgreSQL for much less than `read` costs.

        Raises:
            StorageUnavailable, StatementRefused: As read() does.
            KeyError, ValueError: As Lookup.one raises them.
        """
        try:
            return await self._database.find(lookup, parameters)
        except Transient:
            return await self.read(partial(lookup.one, parameters=parameters))

    async def transact(self, body: Callable[[Connection], T]) -> T:
        """Run the body alone in a write transaction and return its result once that is durable: claims and sweeps.

        The body may only use its connection, and it may be run again when its transaction was rolled back.

        Raises:
            Conflict, CommitUnknown, StorageUnavailable, StatementRefused: As commit() does.
            Exception: What the body raised; its transaction was rolled back.
        """
        return await self._committer.submit(body)

    async def close(self) -> None:
        """Write what is queued, then close all connections. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            await self._committer.close()
            await self._database.close()
            stats = self.stats
            written = {"commits": stats.commits, "changes": stats.changes, "largest_batch": stats.largest_batch}
            _logger.info("store.closed", extra=written)


async def open_store(
    url: str, *, metadata: MetaData, observer: Observer | None = None, clock: Clock | None = None
) -> Store:
    """Open a store. Its tables must be there already: run the migrations before.

    Args:
        url: sqlite:////path/to/file or postgresql://user@host/name.
        metadata: The service's tables.
        observer: Told the size of each batch and the seconds it took.
        clock: Where pauses between attempts come from; the machine's by default.

    Raises:
        AlreadyOwned: Another process has the SQLite file.
        ValueError: The URL is for another kind of database, or names no file.
    """
    database = _database(make_url(url))
    writer = BatchWriter(metadata, database.dialect)
    return Store(database, Committer(database, writer, clock or SystemClock(), observer))


def _database(url: URL) -> Database:
    """Return the adapter for the URL. Only the one that is used is imported: asyncpg and its engine cost 16 MB."""
    match url.get_backend_name():
        case "sqlite":
            from chassis.storage.sqlite import SqliteDatabase  # noqa: PLC0415  (see above)

            return SqliteDatabase(url)
        case "postgresql":
            from chassis.storage.postgres import PostgresDatabase  # noqa: PLC0415  (see above)

            return PostgresDatabase(url)
        case other:
            raise ValueError(f"{other}: storage is either sqlite:////path/to/file or postgresql://user@host/name")
