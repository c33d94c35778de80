"""One HTTP/1.1 connection: a request out, an answer in, never two at a time.

It knows bytes, an event loop and the parser. The pool decides when it lives; it knows no provider and no tracing.
"""

import asyncio
from typing import NamedTuple

import httptools

from chassis.http.errors import HttpError, Lost, TooLarge

_FIRST_FINAL_STATUS = 200


class Answer(NamedTuple):
    """What the other side said.

    Attributes:
        status: 200 or above.
        headers: Names in lower case, in the order they came.
        body: All of it, as it came.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> str:
        """Return the first header of this lower-case name; empty when there is none."""
        return next((value.decode("latin-1") for each, value in self.headers if each == name), "")


class Connection(asyncio.Protocol):
    """A connection that carries one exchange after the other.

    Args:
        loop: The loop it lives on.
        most_bytes: Bound of one answer with its headers and framing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most_bytes: int) -> None:
        self._loop = loop
        self._most_bytes = most_bytes
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._received = 0
        self.idle_since = 0.0

    # What the pool asks for.

    @property
    def usable(self) -> bool:
        """Whether another request can be sent on it, as far as we know."""
        return self._transport is not None and self._answer is None and not self._transport.is_closing()

    def send(self, request: bytes) -> "asyncio.Future[Answer]":
        """Send a request, which counts as sent from here on; the future ends in its answer, Lost or TooLarge."""
        if self._transport is None:
            raise RuntimeError("send on a connection that is not open")
        self._headers, self._body, self._received = [], [], 0
        self._answer = answer = self._loop.create_future()
        self._transport.write(request)
        return answer

    def abort(self) -> None:
        """Drop the connection now, whatever is on it."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way out."""
        self._transport = transport  # type: ignore[assignment]  # create_connection makes a Transport

    def data_received(self, data: bytes) -> None:
        """Parse what came, within the bound."""
        self._received += len(data)
        if self._received > self._most_bytes:
            self._end(TooLarge("the answer is larger than this client reads"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end(Lost("the answer is not HTTP"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up on the answer that was awaited; one whose end was not marked cannot be told from a cut one."""
        self._transport = None
        self._end(Lost("the connection broke before the answer was complete"))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """End the connection when nothing was asked: a second answer would be taken for that of the next request."""
        if self._answer is None:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand the answer over, unless it only says that one will follow."""
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < _FIRST_FINAL_STATUS:
            return
        if not self._parser.should_keep_alive():
            self.abort()
        waiting, self._answer = self._answer, None
        if waiting is None or waiting.done():
            return
        if any(name == b"content-encoding" for name, _ in headers):
            waiting.set_exception(Lost("the answer is encoded in a way that was not asked for"))
        else:
            waiting.set_result(Answer(status, tuple(headers), b"".join(self._body)))

    def _end(self, error: HttpError) -> None:
        waiting, self._answer = self._answer, None
        self.abort()
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
