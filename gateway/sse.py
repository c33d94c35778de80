"""A server stream as server-sent events: one event per message, comments while nothing happens, a visible end.

The status is sent only once the stream has begun: a stream that fails at once is a problem with its own status.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import orjson

from gateway.asgi import Exchange
from gateway.problem import Problem
from kernel.errors import Reason, Refusal

MEDIA_TYPE = "text/event-stream"

# Proxies cut connections that are silent for a minute; a comment in good time keeps them open.
HEARTBEAT_SECONDS = 15.0
# How long an answer may wait for the first message. Past it the client learns that the stream is open and quiet.
OPENING_SECONDS = 2.0

_HEARTBEAT = b": still here\n\n"
# Tells browsers' EventSource that this was the end and no cut: without it they would ask again.
_END = b"event: end\ndata: {}\n\n"
_HEADERS = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    # Reverse proxies of the nginx kind would hold events back otherwise.
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """Sends one stream to one client.

    Args:
        messages: The stream; an asynchronous generator, closed when the client goes.
        write: Turns a message into a JSON value.
        tell: Turns what a stream failed with into the problem to be told.
        stopping: Set when the server wants its streams to end.
        event_id_of: Names the event of a message, for a client that was cut off to say which it had; empty for no id.
        opening_seconds: How long the first message is waited for before the stream is opened without it.
        heartbeat_seconds: How long it may be silent then.
    """

    def __init__(
        self,
        messages: AsyncIterator[Any],
        write: Callable[[Any], Any],
        tell: Callable[[BaseException], Problem],
        stopping: asyncio.Event,
        *,
        event_id_of: Callable[[Any], str] = lambda _: "",
        opening_seconds: float = OPENING_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._messages = messages
        self._write = write
        self._tell = tell
        self._stopping = stopping
        self._event_id_of = event_id_of
        self._opening_seconds = opening_seconds
        self._heartbeat_seconds = heartbeat_seconds

    async def run(self, exchange: Exchange) -> None:
        """Send events until the stream, the client or the server ends.

        Raises:
            grpc.aio.AioRpcError: The stream failed before anything was sent.
        """
        watchers = {
            asyncio.create_task(_disconnected(exchange), name="sse.disconnect"),
            asyncio.create_task(self._stopping.wait(), name="sse.stopping"),
        }
        try:
            await self._run(exchange, watchers)
        finally:
            for task in watchers:
                task.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)

    async def _run(self, exchange: Exchange, watchers: set[asyncio.Task[Any]]) -> None:
        started = over = False
        following = self._ask()
        try:
            while not over:
                wait = self._heartbeat_seconds if started else self._opening_seconds
                await asyncio.wait({following, *watchers}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if any(task.done() for task in watchers):
                    break
                event, over = self._event(following, started=started) if following.done() else (_HEARTBEAT, False)
                if following.done() and not over:
                    following = self._ask()
                if not started:
                    await exchange.start(200, _HEADERS)
                    started = True
                await exchange.send({"type": "http.response.body", "body": event, "more_body": True})
        finally:
            await _close(following, self._messages)
        if not started:
            raise _stopping()
        await exchange.send({"type": "http.response.body", "body": b""})

    def _ask(self) -> asyncio.Task[bytes]:
        return asyncio.create_task(self._next(), name="sse.next")

    async def _next(self) -> bytes:
        message = await anext(self._messages, None)
        if message is None:
            return _END
        event_id = self._event_id_of(message)
        named = f"id: {event_id}\n".encode() if event_id else b""
        return named + b"data: " + orjson.dumps(self._write(message)) + b"\n\n"

    def _event(self, following: asyncio.Task[bytes], *, started: bool) -> tuple[bytes, bool]:
        """Return the event of what came, and whether it is the last one."""
        error = _stopping() if following.cancelled() else following.exception()
        if error is None:
            event = following.result()
            return event, event is _END
        if not started:
            raise error
        if isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            # The stream's own time is up; a plain end makes EventSource come back.
            return b"", True
        return b"event: error\ndata: " + self._tell(error).body() + b"\n\n", True


def _stopping() -> Refusal:
    return Refusal(Reason.UNAVAILABLE, "The gateway is stopping; ask again.", retry_after=1.0)


async def _disconnected(exchange: Exchange) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass


async def _close(following: asyncio.Task[bytes], messages: AsyncIterator[Any]) -> None:
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    close = getattr(messages, "aclose", None)
    if close is not None:
        await close()
