"""Limits on what comes before there is a request: uvicorn takes heads of any size, at any pace."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import problem
from gateway.problem import Problem
from kernel.errors import Reason, Refusal

# What other servers allow for the request line and all headers together.
MAX_HEAD_BYTES = 32_768
# From a request's first byte (of the first one: from the connection) to the end of its headers.
HEAD_SECONDS = 10.0


class _HeadTooLarge(Exception):
    """Raised out of the parser's callback; httptools turns it into its own error, which ends in `send_400_response`."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection, whose requests must begin in good time and with heads of a sensible size."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which holds on to an unfinished head however long it becomes."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(_head_too_large())

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """End the head; from here on the application has its own limits."""
        self._stop_waiting()
        self._in_head = False
        self._head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _HeadTooLarge
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser could not read."""
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_head_too_large())
        else:
            refusal = Refusal(Reason.VALIDATION_FAILED, "This is not a well-formed HTTP/1.1 request.")
            self._refuse(problem.of_refusal(refusal))

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        refusal = Refusal(Reason.DEADLINE_EXCEEDED, f"No request was complete within {HEAD_SECONDS:.0f} seconds.")
        self._refuse(problem.of_refusal(refusal, status=HTTPStatus.REQUEST_TIMEOUT))

    def _refuse(self, told: Problem) -> None:
        """Answer and hang up: after half a request nobody can tell where the next one begins."""
        self._in_head = False
        body = told.body()
        head = (
            f"HTTP/1.1 {told.status} {HTTPStatus(told.status).phrase}\r\n"
            f"content-type: {problem.MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()


def _head_too_large() -> Problem:
    refusal = Refusal(
        Reason.REQUEST_TOO_LARGE,
        f"The request line and headers are larger than {MAX_HEAD_BYTES} bytes.",
        metadata={"maximumBytes": str(MAX_HEAD_BYTES)},
    )
    return problem.of_refusal(refusal, status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
