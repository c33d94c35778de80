"""A network between a client and PostgreSQL that can be cut at the worst moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto

from sqlalchemy import make_url

# What asyncpg sends to commit: a simple query with this text.
_COMMIT = b"COMMIT;"


class Fault(Enum):
    """What the network does next."""

    NONE = auto()
    CUT_BEFORE_COMMIT = auto()
    CUT_AFTER_COMMIT = auto()
    SILENCE = auto()


class PostgresProxy:
    """Forwards bytes between a TCP port and the server's Unix socket, until told otherwise.

    Args:
        url: The database's, with its socket directory as `host`.

    Attributes:
        fault: Happens once, at the next chance; SILENCE lasts.
    """

    def __init__(self, url: str) -> None:
        self.fault = Fault.NONE
        self._url = make_url(url)
        self._answers_to_swallow: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Listen while the context is open; yields the URL that leads through here."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/{self._url.database}"
        finally:
            server.close()

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        socket = f"{self._url.query['host']}/.s.PGSQL.5432"
        from_server, to_server = await asyncio.open_unix_connection(socket)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(from_client, to_server, to_client))
                both.create_task(self._answers(from_server, to_client))
        except* (ConnectionError, _CutError):
            pass
        finally:
            to_server.close()
            to_client.close()

    async def _requests(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(65536):
            if self.fault is Fault.SILENCE:
                continue
            if _COMMIT in data and self.fault is not Fault.NONE:
                fault, self.fault = self.fault, Fault.NONE
                if fault is Fault.CUT_BEFORE_COMMIT:
                    raise _CutError
                self._answers_to_swallow.add(back)
            target.write(data)
            await target.drain()
        raise _CutError

    async def _answers(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if target in self._answers_to_swallow:
                raise _CutError
            if self.fault is Fault.SILENCE:
                continue
            target.write(data)
            await target.drain()
        raise _CutError


class _CutError(Exception):
    """This connection ends here."""
