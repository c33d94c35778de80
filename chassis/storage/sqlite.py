"""SQLite behind the port: one writer connection in its own thread, because fsync blocks, and a few readers."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from chassis.storage import transaction
from chassis.storage.changes import CommitUnknown, Conflict, StatementRefused, StorageUnavailable
from chassis.storage.lookup import Lookup
from chassis.storage.ownership import Ownership
from chassis.storage.threads import Threads

T = TypeVar("T")

# What SQLAlchemy raises, and what comes straight from the driver's cursor.
_DRIVER_ERRORS = (DBAPIError, sqlite3.Error)

# A read takes tens of microseconds of CPU under the GIL; more threads would only wait for each other.
_READERS = 3

# FULL: under NORMAL a power cut can drop a commit that was already answered. fullfsync: what FULL needs on macOS.
# A burst may leave a long WAL behind; the next checkpoint cuts it to 64 MiB.
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "fullfsync = ON",
    "busy_timeout = 10000",
    "foreign_keys = ON",
    "journal_size_limit = 67108864",
)

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
        self._writer_thread = Threads(1, "sqlite-writer")
        self._reader_threads = Threads(_READERS, "sqlite-reader")
        self._connection: Connection | None = None
        # Between reads; taking one from the engine's pool and giving it back costs as much as the read.
        self._idle: list[Connection] = []

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self._engine.dialect

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run the body in a write transaction and commit it."""
        try:
            return await self._run(self._writer_thread, partial(self._write, body))
        except transaction.CommitFailed as failed:
            raise self._failure(failed.__cause__, CommitUnknown) from failed.__cause__
        except _DRIVER_ERRORS as error:
            raise self._failure(error, StorageUnavailable) from error

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run the body on a read-only connection."""
        try:
            return await self._run(self._reader_threads, partial(self._read, body))
        except _DRIVER_ERRORS as error:
            if _code(error) == sqlite3.SQLITE_READONLY:
                raise StatementRefused("a read may not write") from error
            raise self._failure(error, StorageUnavailable) from error

    async def find(self, lookup: Lookup, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401  (see Lookup.one)
        """Return the only row that the lookup finds; a transaction around one statement costs next to nothing here."""
        return await self.read(partial(lookup.one, parameters=parameters))

    async def close(self) -> None:
        """Close all connections and give up the file."""
        try:
            await self._writer_thread.run(self._close)
        finally:
            self._writer_thread.close()
            self._ownership.release()

    async def _run(self, threads: Threads, work: Callable[[], T]) -> T:
        if self.failed.is_set():
            raise StorageUnavailable("the disk failed under the database; the process must start again")
        return await threads.run(work)

    def _write(self, body: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        return transaction.run(self._connection, body)

    def _read(self, body: Callable[[Connection], T]) -> T:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._readers.connect()
        try:
            result = body(connection)
            connection.rollback()  # the snapshot ends here
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return result

    def _close(self) -> None:
        self._reader_threads.close()
        self._reader_threads.join()  # reads that were asked for are finished
        for connection in self._idle:
            connection.close()
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()
        self._readers.dispose()

    def _failure(self, error: BaseException | None, when_fatal: type[Exception]) -> Exception:
        """Return what to raise for an error of the driver. SQLite's messages name tables and columns, never values."""
        extended = _extended_code(error)
        message = str(error.orig if isinstance(error, DBAPIError) else error)
        if extended in _TAKEN:
            return Conflict(None)
        if _code(error) in _DEFECTS:
            return StatementRefused(message)
        if _code(error) in _FATAL:
            self.failed.set()
            return when_fatal(message)
        return StorageUnavailable(message)


def _code(error: BaseException | None) -> int:
    return _extended_code(error) & 0xFF


def _extended_code(error: BaseException | None) -> int:
    """Return SQLite's result code; misuse that the driver itself finds has none and counts as an error in the SQL."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code: int = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code
