"""A network between a client and PostgreSQL that can be cut at the worst moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto

from sqlalchemy import make_url

from tests.fakes.tcp_proxy import CutError, TcpProxy, to_socket

# What asyncpg sends to commit: a simple query with this text.
_COMMIT = b"COMMIT;"


class Fault(Enum):
    """What the network does next."""

    NONE = auto()
    CUT_BEFORE_COMMIT = auto()
    CUT_AFTER_COMMIT = auto()


class PostgresProxy(TcpProxy):
    """Forwards bytes between a TCP port and the server's Unix socket, until told otherwise.

    Args:
        url: The database's, with its socket directory as `host`.

    Attributes:
        fault: Happens once, at the next chance.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        super().__init__(to_socket(f"{self._url.query['host']}/.s.PGSQL.5432"))
        self.fault = Fault.NONE
        self._answers_to_swallow: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Listen while the context is open; yields the URL that leads through here."""
        async with self.listening() as port:
            yield self.url(f"127.0.0.1:{port}")

    def url(self, address: str) -> str:
        """Return the URL that leads through here, where it listens on this address."""
        return f"postgresql://postgres@{address}/{self._url.database}"

    def heal(self) -> None:
        """Be a good network again."""
        super().heal()
        self.fault = Fault.NONE

    def check_request(self, data: bytes, client: asyncio.StreamWriter) -> None:
        """Cut before a COMMIT, or swallow its answer."""
        if _COMMIT not in data or self.fault is Fault.NONE:
            return
        fault, self.fault = self.fault, Fault.NONE
        if fault is Fault.CUT_BEFORE_COMMIT:
            raise CutError
        self._answers_to_swallow.add(client)

    def check_answer(self, data: bytes, client: asyncio.StreamWriter) -> None:
        """Cut instead of telling that a COMMIT was done."""
        if client in self._answers_to_swallow:
            self._answers_to_swallow.discard(client)
            raise CutError
