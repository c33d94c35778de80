"""PostgreSQL behind the port: one writer connection and a small pool of readers, on asyncpg."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, Dialect
from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis.storage import transaction
from chassis.storage.changes import CommitUnknown, Conflict, StatementRefused, StorageUnavailable
from chassis.storage.database import Locked, Transient
from chassis.storage.lookup import Compiled, Lookup

T = TypeVar("T")

# What SQLAlchemy raises, what its driver shim raises under it, and what the network does.
# The last but one is what the driver says of a connection that it finds amid its end.
DRIVER_ERRORS = (
    *(DBAPIError, EmulatedDBAPIException, asyncpg.PostgresError, asyncpg.InterfaceError),
    *(asyncpg.InternalClientError, OSError),
)

_READERS = 4
_CONNECT_SECONDS = 3.0
# Above the server's own limits below, so that the server's answer is heard first and only a dead network ends here.
_COMMAND_SECONDS = 7.0

# In milliseconds, by the server: a frozen replica must not keep its locks, and a dead one's connection must not linger.
# (asyncpg offers no such settings for the client's socket; there _COMMAND_SECONDS notices.)
_SERVER_SETTINGS = {
    "application_name": "ordermesh",
    "lock_timeout": "2000",
    "statement_timeout": "5000",
    "idle_in_transaction_session_timeout": "5000",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# What a URL may say beside what a connection is made with: how long a statement may go unanswered, in seconds, and how
# many connections read.
_OURS = frozenset({"command_timeout", "readers"})
_READER_SETTINGS = {"default_transaction_read_only": "on"}
# The writer finds every row by key, and so do the foreign key checks behind it. Without statistics, which a new table
# has none of, PostgreSQL would plan scans and keep them: half the throughput in the first minutes, measured.
_WRITER_SETTINGS = {"enable_seqscan": "off"}

_UNIQUE_VIOLATION = "23505"
_LOCK_NOT_AVAILABLE = "55P03"
_READ_ONLY = "25006"
_STATEMENT_TIMEOUT = "57014"
# serialization_failure, deadlock_detected
_RETRY = {"40001", "40P01"}
# Classes (first two characters) that the statement deserves: feature, cardinality, data, integrity, syntax, check.
_DEFECTS = {"0A", "21", "22", "23", "42", "44"}
# Classes after which the connection is gone or of no use: connection, operator intervention, system error.
_LOST = {"08", "57", "58"}
# Classes with which the server says that COMMIT rolled back. After any other nobody knows.
_ROLLED_BACK = {"22", "23", "25", "40", "42", "44"}


def engine(url: URL, *, readonly: bool, connections: int, command_seconds: float | None) -> AsyncEngine:
    """Return an asyncpg engine for a postgresql:// URL, with every timeout set.

    The URL may set some otherwise: `connect_timeout` in seconds, and in milliseconds what the server heeds,
    `lock_timeout`, `statement_timeout`, `idle_in_transaction_session_timeout` and `tcp_user_timeout`.
    """
    settings = _SERVER_SETTINGS | (_READER_SETTINGS if readonly else _WRITER_SETTINGS)
    query = {name: value for name, value in url.query.items() if name not in _OURS}
    settings |= {name: str(query.pop(name)) for name in _SERVER_SETTINGS.keys() & query.keys()}
    connect_seconds = float(str(query.pop("connect_timeout", _CONNECT_SECONDS)))
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
            "timeout": connect_seconds,
            "command_timeout": command_seconds,
            "server_settings": settings,
        },
    )


async def silent(url: URL, seconds: float) -> None:
    """Return when PostgreSQL has not answered new connections for so long; until then, ask again and again.

    Whatever the server says, a refusal too, is an answer.
    """
    loop = asyncio.get_running_loop()
    prober = engine(url, readonly=True, connections=1, command_seconds=_CONNECT_SECONDS)
    heard = loop.time()
    while loop.time() - heard < seconds:
        await asyncio.sleep(seconds / 4)
        try:
            async with prober.connect() as connection:
                await connection.invalidate()  # the next question takes a connection of its own
        except DRIVER_ERRORS as error:
            if _state(error) is None:
                continue
        heard = loop.time()


class PostgresDatabase:
    """One PostgreSQL database, shared with other replicas.

    Args:
        url: postgresql://user@host/name, with `readers` and `command_timeout`, in seconds, where they are to differ.

    Raises:
        ValueError: One of the URL's numbers is none.
    """

    def __init__(self, url: URL) -> None:
        self.failed = asyncio.Event()
        # After how long without an answer a connection counts as lost.
        command_seconds = float(str(url.query.get("command_timeout", _COMMAND_SECONDS)))
        readers = int(str(url.query.get("readers", _READERS)))
        self._engine = engine(url, readonly=False, connections=1, command_seconds=command_seconds)
        self._readers = engine(url, readonly=True, connections=readers, command_seconds=command_seconds)
        self._connection: AsyncConnection | None = None
        self._reading: set[asyncio.Future[Any]] = set()

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self._engine.dialect

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run the body in a write transaction and commit it."""
        if self._connection is None:
            self._connection = await _connect(self._engine)
        try:
            return await self._connection.run_sync(transaction.run, partial(_in_touch, body))
        except transaction.CommitFailed as failed:
            await self._drop_writer()
            if (_state(failed.__cause__) or "")[:2] in _ROLLED_BACK:
                raise _failure(failed.__cause__) from None
            raise CommitUnknown("the connection was lost during COMMIT") from failed.__cause__
        except DRIVER_ERRORS as error:
            failure = _failure(error)
            if isinstance(failure, StorageUnavailable):
                await self._drop_writer()
            raise failure from _tellable(error, failure)

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run the body on a read-only connection. A caller that is cancelled leaves it to finish.

        Cancelling a statement would cost its connection, and a second one to tell the server.
        """
        return await self._to_the_end(self._read(body))

    async def find(self, lookup: Lookup, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401  (see Lookup.one)
        """Return the only row that the lookup finds: one round trip, where a read in a transaction takes three."""
        return await self._to_the_end(self._find(lookup.compiled(self.dialect), parameters))

    async def close(self) -> None:
        """Let reads finish, and close all connections."""
        await asyncio.gather(*self._reading, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()
        await self._engine.dispose()
        await self._readers.dispose()

    async def _read(self, body: Callable[[Connection], T]) -> T:
        connection = await _connect(self._readers)
        try:
            return await connection.run_sync(partial(_in_touch, body))
        except DRIVER_ERRORS as error:
            if _state(error) == _READ_ONLY:
                raise StatementRefused("a read may not write") from error
            failure = _failure(error)
            raise failure from _tellable(error, failure)
        finally:
            await _give_back(connection)

    async def _find(self, statement: Compiled, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401  (as above)
        """Run the statement on the driver's connection, which is in no transaction. SQLAlchemy's way costs as much."""
        connection = await _connect(self._readers)
        try:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            (row,) = await driver.fetch(statement.sql, *statement.values(parameters))
        except DRIVER_ERRORS as error:
            failure = _failure(error)
            if _state(error) is None or isinstance(failure, Transient):
                # The connection broke: the driver tells us, and not SQLAlchemy's pool.
                await connection.invalidate()
            raise failure from _tellable(error, failure)
        else:
            return statement.named(row)
        finally:
            await _give_back(connection)

    async def _to_the_end(self, read: Coroutine[Any, Any, T]) -> T:
        """Wait for a read, which goes on when we are cancelled."""
        reading = asyncio.ensure_future(read)
        self._reading.add(reading)
        reading.add_done_callback(self._done_reading)
        return await asyncio.shield(reading)

    def _done_reading(self, reading: asyncio.Future[Any]) -> None:
        self._reading.discard(reading)
        if not reading.cancelled():
            reading.exception()  # if nobody waits for it any more, nobody needs to hear of it

    async def _drop_writer(self) -> None:
        """Throw the writer's connection away; the next write opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()


def _in_touch(body: Callable[[Connection], T], connection: Connection) -> T:
    """Run the body. When the network fails, throw the connection away: a ROLLBACK would only wait as long again."""
    try:
        return body(connection)
    except OSError:
        connection.invalidate()
        raise


async def _connect(source: AsyncEngine) -> AsyncConnection:
    """Return an open connection.

    Raises:
        StorageUnavailable: No connection could be made. The attempt took its time; it is not worth repeating at once.
    """
    try:
        return await source.connect()
    except (*DRIVER_ERRORS, PoolTimeout) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = _state(error) or type(cause).__name__
        raise StorageUnavailable(f"no connection to PostgreSQL could be opened: {reason}") from error


async def _give_back(connection: AsyncConnection) -> None:
    """End a reader's transaction, and return its connection to the pool or throw it away when it was lost meanwhile."""
    try:
        await connection.close()
    except DRIVER_ERRORS:
        # What was read before is right all the same, and an error that was told before tells more than this one.
        if not connection.closed:
            await connection.invalidate()
            await connection.close()


def _failure(error: BaseException | None) -> Exception:
    """Return what to raise for an error that rolled the transaction back; its text has no value of a row in it."""
    state = _state(error)
    if state is None:
        return _without_state(error)
    if state == _UNIQUE_VIOLATION:
        return Conflict(None)
    if state == _LOCK_NOT_AVAILABLE:
        return Locked("another transaction keeps a row locked")
    if state in _RETRY or (state[:2] in _LOST and state != _STATEMENT_TIMEOUT):
        return Transient(f"PostgreSQL refused for now: {state}")
    if state[:2] in _DEFECTS:
        return StatementRefused(f"PostgreSQL refused a statement: {state}{_object(error)}")
    return StorageUnavailable(f"PostgreSQL cannot write now: {state}")


def is_lost(error: BaseException) -> bool:
    """Tell whether an error, one of DRIVER_ERRORS, means that the connection is gone and another one may work."""
    return isinstance(_failure(error), Transient)


def _tellable(error: Exception, failure: Exception) -> Exception | None:
    """Return the error as a cause to be logged, unless it was about a row: PostgreSQL then quotes the row's values."""
    return error if isinstance(failure, StorageUnavailable) else None


def _without_state(error: BaseException | None) -> Exception:
    """Return what to raise for an error that the driver found, and not the server."""
    root = _root(error)
    if isinstance(root, asyncpg.InterfaceError) and "closed" not in str(root):
        # Before anything was sent: a value of a type that does not fit its column.
        return StatementRefused("a value does not fit its column, or a statement its parameters")
    if isinstance(root, TimeoutError):
        # Whoever asks has waited long enough: the next connection is as silent, as a rule.
        return StorageUnavailable("PostgreSQL does not answer")
    return Transient("the connection to PostgreSQL was lost")


def _state(error: BaseException | None) -> str | None:
    """Return the SQLSTATE, five characters, or None when the error is not the server's."""
    state: str | None = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    return state


def _object(error: BaseException | None) -> str:
    """Return which table, column or constraint the server complained about, for a person."""
    names = [getattr(_root(error), f"{kind}_name", None) for kind in ("table", "column", "constraint")]
    return "".join(f", {name}" for name in names if name)


def _root(error: BaseException | None) -> BaseException | None:
    """Return asyncpg's own exception under SQLAlchemy's."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.__cause__ if isinstance(cause, EmulatedDBAPIException) else cause
