"""A network between a client and a server that loses its bytes, holds them back, cuts and resets."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_MOST_AT_ONCE = 65536

# Closing with this sends RST at once instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class CutError(Exception):
    """This connection ends here."""


class TcpProxy:
    """Forwards bytes between a port of its own and a server, until told otherwise.

    Args:
        connect: Opens a connection to the server.

    Attributes:
        delay_seconds: How long every piece of data is held back.
        cut_after: After how many more bytes, either way, the connection that carries them is reset; None for never.
    """

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self.delay_seconds = 0.0
        self.cut_after: int | None = None
        self._connect = connect
        self._passing = asyncio.Event()
        self._passing.set()
        self._refusing = False
        self._clients: set[asyncio.StreamWriter] = set()
        # Held here as well: nobody else holds those whose client has left.
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        """Listen on 127.0.0.1 while the context is open; yields the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.reset()
            for serving in self._serving:
                serving.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def silence(self) -> None:
        """Become a black hole: connections stand and nothing comes through. What is sent arrives after `heal`."""
        self._passing.clear()

    def refuse(self) -> None:
        """Reset every connection that there is or that comes, until `heal`."""
        self._refusing = True
        self.reset()

    def reset(self) -> None:
        """Reset the connections that there are."""
        for client in list(self._clients):
            _abort(client)

    def heal(self) -> None:
        """Be a good network again."""
        self._refusing = False
        self.delay_seconds, self.cut_after = 0.0, None
        self._passing.set()

    def check_request(self, data: bytes, client: asyncio.StreamWriter) -> None:
        """Look at what a client sends before it is forwarded; raises CutError to cut the connection instead."""

    def check_answer(self, data: bytes, client: asyncio.StreamWriter) -> None:
        """Look at what the server answers before it is forwarded; raises CutError to cut the connection instead."""

    def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        serving = asyncio.ensure_future(self._joined(from_client, to_client))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _joined(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._clients.add(to_client)
        to_server: asyncio.StreamWriter | None = None
        try:
            if self._refusing:
                return
            from_server, to_server = await self._connect()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(from_client, to_server, to_client, self.check_request))
                both.create_task(self._forward(from_server, to_client, to_client, self.check_answer))
        except* (OSError, CutError):
            pass
        finally:
            self._clients.discard(to_client)
            if to_server is not None:
                to_server.close()
            _abort(to_client)

    async def _forward(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
        check: Callable[[bytes, asyncio.StreamWriter], None],
    ) -> None:
        while data := await source.read(_MOST_AT_ONCE):
            await self._passing.wait()
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            check(data, client)
            data = self._before_the_cut(data)
            if target.is_closing():  # while this waited, the other side has gone
                raise CutError
            target.write(data)
            await target.drain()
            if self.cut_after == 0:
                self.cut_after = None
                raise CutError
        raise CutError

    def _before_the_cut(self, data: bytes) -> bytes:
        if self.cut_after is not None:
            data = data[: self.cut_after]
            self.cut_after -= len(data)
        return data


def to_address(host: str, port: int) -> Callable[[], Awaitable[Streams]]:
    """Return what connects to a TCP server."""

    async def connect() -> Streams:
        return await asyncio.open_connection(host, port)

    return connect


def to_socket(path: str) -> Callable[[], Awaitable[Streams]]:
    """Return what connects to a server on a Unix socket."""

    async def connect() -> Streams:
        return await asyncio.open_unix_connection(path)

    return connect


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close a connection with RST: what was on its way is lost, and the other side is told at once."""
    with suppress(OSError, AttributeError, ValueError):  # each of them says that the socket is closed already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
