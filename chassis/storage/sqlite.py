"""SQLite behind the port: one writer connection in its own thread, because fsync blocks, and a few readers."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from chassis.storage import transaction
from chassis.storage.changes import CommitUnknown, Conflict, StatementRefused, StorageUnavailable
from chassis.storage.database import Transient
from chassis.storage.ownership import Ownership

T = TypeVar("T")

# A read takes tens of microseconds of CPU under the GIL; more threads would only wait for each other.
_READERS = 3

# FULL: under NORMAL a power cut can drop a commit that was already answered. fullfsync: what FULL needs on macOS.
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "busy_timeout = 10000", "foreign_keys = ON")

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_TAKEN = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_DEFECTS = {
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}
# After these, what is on the disk is no longer known. A failed fsync must not be tried again on the same pages.
_FATAL = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def engine(url: URL, *, readonly: bool = False, connections: int = 1) -> Engine:
    """Return an engine whose transactions start with BEGIN IMMEDIATE, or with BEGIN for readers.

    Raises:
        ValueError: The URL names no file.
    """
    prepare_file(url)
    # isolation_level None: the driver starts no transactions behind our back.
    result = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )
    pragmas = (*_PRAGMAS, "query_only = ON") if readonly else _PRAGMAS

    @event.listens_for(result, "connect")
    def _configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(result, "begin")
    def _begin(connection: Connection) -> None:
        # On the driver's cursor: SQLAlchemy's own execution would cost more than the statement does.
        connection.connection.cursor().execute("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return result


def prepare_file(url: URL) -> Path:
    """Create the database file for its owner alone (SQLite gives its WAL the same mode), and return its path.

    Raises:
        ValueError: The URL names no file.
    """
    if not url.database or url.database == ":memory:":
        raise ValueError(f"{url}: name a file, as in sqlite:////var/lib/ordermesh/order.db")
    path = Path(url.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


class SqliteDatabase:
    """One SQLite file, owned by this process.

    Args:
        url: sqlite:////path/to/file.

    Raises:
        AlreadyOwned: Another process, or another store of this one, has the file.
        ValueError: The URL names no file.
    """

    def __init__(self, url: URL) -> None:
        self.failed = asyncio.Event()
        self._ownership = Ownership.take(prepare_file(url))
        self._engine = engine(url)
        self._readers = engine(url, readonly=True, connections=_READERS)
        self._writer_thread = ThreadPoolExecutor(1, "sqlite-writer")
        self._reader_threads = ThreadPoolExecutor(_READERS, "sqlite-reader")
        self._connection: Connection | None = None

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self._engine.dialect

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run the body in a write transaction and commit it."""
        return await self._run(self._writer_thread, partial(self._write, body))

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run the body on a read-only connection."""
        return await self._run(self._reader_threads, partial(self._read, body))

    async def close(self) -> None:
        """Close all connections and give up the file."""
        await self._run(self._writer_thread, self._close)
        self._writer_thread.shutdown(wait=False)
        self._reader_threads.shutdown(wait=False)
        self._ownership.release()

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self.failed.is_set():
            raise StorageUnavailable("the database file failed before; the process must start again")
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except transaction.CommitFailed as failed:
            raise self._failure(failed.__cause__, committing=True) from failed.__cause__
        except (DBAPIError, sqlite3.Error) as error:
            raise self._failure(error, committing=False) from error

    def _write(self, body: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        return transaction.run(self._connection, body)

    def _read(self, body: Callable[[Connection], T]) -> T:
        with self._readers.connect() as connection:
            return body(connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()
        self._readers.dispose()

    def _failure(self, error: BaseException | None, *, committing: bool) -> Exception:
        """Return what to raise for an error of the driver; its text never has a value of a row in it."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        extended = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        code = extended & 0xFF
        if code in _FATAL:
            self.failed.set()
            return CommitUnknown(str(cause)) if committing else StorageUnavailable(str(cause))
        if code in _BUSY:
            return Transient(str(cause))
        if extended in _TAKEN:
            return Conflict(None)
        if code in _DEFECTS:
            return StatementRefused(str(cause))
        return StorageUnavailable(str(cause))
