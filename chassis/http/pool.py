"""The connections to one origin: bounded, the freshest used first, whoever waits longest served first."""

import asyncio
import contextlib
import ssl
from collections import deque

from chassis.http.connection import Connection
from chassis.http.reach import Resolve


class Pool:
    """Lends connections to one host and port.

    Args:
        host: Name or address.
        port: TCP port.
        tls: Context to speak TLS with; None for plain text.
        most_connections: At most so many at a time; further requests wait for one.
        keepalive_seconds: A connection idle for longer is not used again: something on the way may have forgotten it.
        most_bytes: Bound of one answer.
        bodies: Whether answers' bodies are wanted.
        resolve: Finds the addresses that may be connected to; without it the system does, and all may be.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        most_connections: int,
        keepalive_seconds: float,
        most_bytes: int,
        bodies: bool = True,
        resolve: Resolve | None = None,
    ) -> None:
        self._resolve = resolve
        self._host = host
        self._port = port
        self._tls = tls
        self._free_slots = most_connections
        self._keepalive_seconds = keepalive_seconds
        self._most_bytes = most_bytes
        self._bodies = bodies
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lent: set[Connection] = set()
        self._closed = False

    async def acquire(self, connect_seconds: float) -> Connection:
        """Lend a connection, an idle one or a new one; wait when all are lent. Give it back with `release`.

        Raises:
            OSError: It cannot be made.
            TimeoutError: It was not made in time.
        """
        if self._closed:
            raise ConnectionError("the client is closed")
        if self._free_slots:
            self._free_slots -= 1
        else:
            await self._wait_for_slot()
        try:
            connection = self._take_idle() or await self._connect(connect_seconds)
        except BaseException:
            self._give_slot()
            raise
        self._lent.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Take a connection back; keep it when it can be used again, drop it otherwise."""
        self._lent.discard(connection)
        if connection.usable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()
        self._give_slot()

    def close(self) -> None:
        """Drop every connection, for good; whoever waits for an answer on one gets Lost."""
        self._closed = True
        for connection in (*self._idle, *self._lent):
            connection.abort()
        self._idle.clear()

    def _take_idle(self) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - self._keepalive_seconds
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since >= oldest:
                return connection
            connection.abort()
        return None

    async def _connect(self, seconds: float) -> Connection:
        async with asyncio.timeout(seconds):
            if self._resolve is None:
                return await self._connect_to(self._host)
            *first, last = await self._resolve(self._host, self._port)
            for address in first:
                with contextlib.suppress(OSError):
                    return await self._connect_to(address)
            return await self._connect_to(last)

    async def _connect_to(self, host: str) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(loop, self._most_bytes, bodies=self._bodies),
            host,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if self._tls else None,
        )
        return connection

    async def _wait_for_slot(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place came while this request was being cancelled
                self._give_slot()
            raise

    def _give_slot(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free_slots += 1
