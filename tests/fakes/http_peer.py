"""A TCP server whose connections follow a script: the other side of HTTP, behaving or not."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

Script = Callable[["Conversation"], Awaitable[None]]

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Conversation:
    """One accepted connection."""

    def __init__(self, peer: "HttpPeer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peer = peer
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """Read one whole request, head and body, and keep it in the peer's list."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.removeprefix(b"content-length:"))
        whole = head + (await self._reader.readexactly(length))
        self._peer.requests.append(whole)
        self._peer.asked.set()
        return whole

    async def say(self, data: bytes) -> None:
        """Send some bytes."""
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def until_closed(self) -> None:
        """Wait until the client drops the connection."""
        while await self._reader.read(65_536):
            pass


class HttpPeer:
    """The server. Each connection runs the script and is closed after it.

    Attributes:
        requests: Every whole request that was read.
        connections: How many were accepted.
        asked: Set once a whole request was read.
        dropped: Set whenever a connection's script has ended.
    """

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None, *, port: int = 0) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.dropped = asyncio.Event()
        self._script = script
        self._tls = tls
        self._port = port
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await self._script(Conversation(self, reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()
            self._running.discard(task)
            self.dropped.set()


async def well_behaved(conversation: Conversation) -> None:
    """Answer every request with an empty JSON object, on a connection that stays."""
    while True:
        await conversation.request()
        await conversation.say(ANSWER)


async def silent(conversation: Conversation) -> None:
    """Take a request and never answer."""
    await conversation.request()
    await conversation.until_closed()


def saying(status: int, body: bytes = b"", *headers: str) -> HttpPeer:
    """Return a server that answers everything the same; `headers` are whole lines."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *headers]
    whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    async def script(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.say(whole)

    return HttpPeer(script)
