"""Limits on how requests arrive: uvicorn takes heads of any size, and requests at any pace."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import problem
from gateway.joined_writes import JoinedWrites
from gateway.problem import Problem
from kernel.errors import Reason, Refusal

# What other servers allow for the request line and all headers together.
MAX_HEAD_BYTES = 32_768
# From a request's first byte (of the first one: from the connection) to its last: a megabyte at 50 kB/s.
REQUEST_SECONDS = 20.0


class _HeadTooLarge(Exception):
    """Raised out of the parser's callback; httptools turns it into its own error, which ends in `send_400_response`."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection, whose requests must come in good time and with heads of a sensible size."""

    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None
    _in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._writes = JoinedWrites(transport)
        self.transport = self._writes  # type: ignore[assignment]  # what uvicorn calls of a transport, and no more
        self._await_request()

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
        if self._timer is None:
            self._await_request()

    def on_headers_complete(self) -> None:
        """End the head; what a body may hold is for the application to limit."""
        self._in_head = False
        self._head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _HeadTooLarge
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request."""
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """End an answer."""
        self._writes.end_answer()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser could not read."""
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_head_too_large())
        else:
            refusal = Refusal(Reason.VALIDATION_FAILED, "This is not a well-formed HTTP/1.1 request.")
            self._refuse(problem.of_refusal(refusal))

    def _await_request(self) -> None:
        self._timer = self.loop.call_later(REQUEST_SECONDS, self._is_late)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_late(self) -> None:
        self._timer = None
        if self.cycle is not None and self.cycle.response_started and not self._in_head:
            # It has its answer, a refusal most likely, and still sends its body.
            self.transport.close()
            return
        refusal = Refusal(
            Reason.DEADLINE_EXCEEDED, f"The request was not complete within {REQUEST_SECONDS:.0f} seconds."
        )
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
