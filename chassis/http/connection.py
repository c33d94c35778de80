"""One HTTP/1.1 connection: a request out, an answer in, never two at a time.

It knows bytes, an event loop and the parser. The pool decides when it lives; it knows no provider and no tracing.
"""

import asyncio
from typing import NamedTuple

import httptools

from chassis.http.errors import HttpError, Lost, TooLarge

_FIRST_FINAL_STATUS = 200

# How long the body of an answer is waited for whose status is all that is wanted: most come along with the head, and
# leave a connection that can be used again.
_REST_SECONDS = 0.25


class Answer(NamedTuple):
    """What the other side said.

    Attributes:
        status: 200 or above.
        headers: Names in lower case, in the order they came.
        body: All of it, as it came; empty on connections that read no bodies.
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
        bodies: False where status and headers are all that is wanted: what comes after them is dropped, and that it is
            too long, cut off, encoded or slow makes it no less of an answer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most_bytes: int, *, bodies: bool = True) -> None:
        self._loop = loop
        self._most_bytes = most_bytes
        self._bodies = bodies
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._received = 0
        self._head: Answer | None = None
        self._rest: asyncio.TimerHandle | None = None
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
        room = max(0, self._most_bytes - self._received)
        self._received += len(data)
        try:
            self._parser.feed_data(data if len(data) <= room else data[:room])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end(Lost("the answer is not HTTP"))
            return
        if len(data) > room:
            self._end(TooLarge("the answer is larger than this client reads"))

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

    def on_headers_complete(self) -> None:
        """Where nothing else is wanted, keep what there is for an answer, and give the rest a moment to come."""
        if self._bodies or self._answer is None:
            return
        status = self._parser.get_status_code()
        if status >= _FIRST_FINAL_STATUS:
            self._head = Answer(status, tuple(self._headers), b"")
            self._rest = self._loop.call_later(_REST_SECONDS, self._end, Lost("the answer did not end"))

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        if self._bodies:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand the answer over, unless it only says that one will follow."""
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < _FIRST_FINAL_STATUS:
            return
        if not self._parser.should_keep_alive():
            self.abort()
        waiting, _ = self._ended()
        if waiting is None or waiting.done():
            return
        if self._bodies and any(name == b"content-encoding" for name, _ in headers):
            waiting.set_exception(Lost("the answer is encoded in a way that was not asked for"))
        else:
            waiting.set_result(Answer(status, tuple(headers), b"".join(self._body)))

    def _end(self, error: HttpError) -> None:
        waiting, head = self._ended()
        self.abort()
        if waiting is None or waiting.done():
            return
        if head is not None:
            waiting.set_result(head)
        else:
            waiting.set_exception(error)

    def _ended(self) -> "tuple[asyncio.Future[Answer] | None, Answer | None]":
        """Return who waits, and what there is of an answer; from here on nobody does, and there is none."""
        waiting, head = self._answer, self._head
        self._answer = self._head = None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        return waiting, head
