"""PostgreSQL behind the port: one writer connection and a small pool of readers, on asyncpg."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import asyncpg
from sqlalchemy import URL, Connection, Dialect
from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis.storage import transaction
from chassis.storage.changes import CommitUnknown, Conflict, StatementRefused, StorageUnavailable
from chassis.storage.database import Transient

T = TypeVar("T")

# What SQLAlchemy raises, what its driver shim raises under it, and what the network does.
_DRIVER_ERRORS = (DBAPIError, EmulatedDBAPIException, OSError)

_READERS = 4
_CONNECT_SECONDS = 5.0
# Above the server's own limits below, so that the server's answer is heard first and only a dead network ends here.
_COMMAND_SECONDS = 12.0

# In milliseconds, by the server: a frozen replica must not keep its locks, and a dead one's connection must not linger.
_SERVER_SETTINGS = {
    "application_name": "ordermesh",
    "statement_timeout": "10000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "10000",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

_READER_SETTINGS = {"default_transaction_read_only": "on"}
# The writer finds every row by key, and so do the foreign key checks behind it. Without statistics, which a new table
# has none of, PostgreSQL would plan scans and keep them: half the throughput in the first minutes, measured.
_WRITER_SETTINGS = {"enable_seqscan": "off"}

_UNIQUE_VIOLATION = "23505"
# serialization_failure, deadlock_detected, lock_not_available
_RETRY = {"40001", "40P01", "55P03"}
# Classes (first two characters) that the statement deserves: feature, cardinality, data, integrity, syntax, check.
_DEFECTS = {"0A", "21", "22", "23", "42", "44"}
# Classes after which the connection is gone or of no use: connection, operator intervention, system error.
_LOST = {"08", "57", "58"}


def engine(
    url: URL, *, readonly: bool, connections: int, command_seconds: float | None = _COMMAND_SECONDS
) -> AsyncEngine:
    """Return an asyncpg engine for a postgresql:// URL, with every timeout set."""
    settings = _SERVER_SETTINGS | (_READER_SETTINGS if readonly else _WRITER_SETTINGS)
    query = dict(url.query)
    if "sslmode" in query:  # libpq's name, and what people have in their URLs; asyncpg's is ssl
        query["ssl"] = query.pop("sslmode")
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg", query=query),
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,  # every transaction is ended here; a reset would be one more round trip
        isolation_level="REPEATABLE READ" if readonly else "READ COMMITTED",
        hide_parameters=True,
        connect_args={
            "timeout": _CONNECT_SECONDS,
            "command_timeout": command_seconds,
            "server_settings": settings,
        },
    )


class PostgresDatabase:
    """One PostgreSQL database, shared with other replicas.

    Args:
        url: postgresql://user@host/name.
    """

    def __init__(self, url: URL) -> None:
        self.failed = asyncio.Event()
        self._engine = engine(url, readonly=False, connections=1)
        self._readers = engine(url, readonly=True, connections=_READERS)
        self._connection: AsyncConnection | None = None

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self._engine.dialect

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run the body in a write transaction and commit it."""
        if self._connection is None:
            self._connection = await _connect(self._engine)
        try:
            return await self._connection.run_sync(transaction.run, body)
        except transaction.CommitFailed as failed:
            failure = _failure(failed.__cause__, committing=True)
            await self._drop_writer()
            raise failure from failed.__cause__
        except _DRIVER_ERRORS as error:
            failure = _failure(error, committing=False)
            if isinstance(failure, StorageUnavailable):
                await self._drop_writer()
            raise failure from error

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run the body on a read-only connection."""
        connection = await _connect(self._readers)
        try:
            try:
                return await connection.run_sync(body)
            finally:
                await connection.rollback()
        except _DRIVER_ERRORS as error:
            await connection.invalidate()
            raise _failure(error, committing=False) from error
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._connection is not None:
            await self._connection.close()
        await self._engine.dispose()
        await self._readers.dispose()

    async def _drop_writer(self) -> None:
        """Throw the writer's connection away; the next write opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()


async def _connect(source: AsyncEngine) -> AsyncConnection:
    """Return an open connection.

    Raises:
        StorageUnavailable: No connection could be made. The attempt took its time; it is not worth repeating at once.
    """
    try:
        return await source.connect()
    except _DRIVER_ERRORS as error:
        raise StorageUnavailable("no connection to PostgreSQL could be opened") from error


def _failure(error: BaseException | None, *, committing: bool) -> Exception:
    """Return what to raise for an error of the driver; its text never has a value of a row in it."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state: str | None = getattr(cause, "sqlstate", None)
    root = getattr(cause, "__cause__", None)
    if isinstance(root, asyncpg.InterfaceError) and "closed" not in str(root):
        # Found by the driver before anything was sent: a value of a type that does not fit its column.
        return StatementRefused("a value does not fit its column, or a statement its parameters")
    if state is None or state[:2] in _LOST:
        return CommitUnknown("the connection was lost during COMMIT") if committing else Transient("connection lost")
    if state in _RETRY:
        return Transient(f"PostgreSQL refused for now: {state}")
    if state == _UNIQUE_VIOLATION:
        return Conflict(None)
    if state[:2] in _DEFECTS:
        return StatementRefused(f"PostgreSQL refused a statement: {state}")
    return StorageUnavailable(f"PostgreSQL cannot write now: {state}")
