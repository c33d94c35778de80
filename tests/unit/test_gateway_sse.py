"""A server stream becomes server-sent events, and ends when either side wants it to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from gateway.asgi import Exchange
from gateway.problem import Problem, of_defect
from gateway.sse import EventStream
from kernel.errors import Refusal

# Long enough for whatever a test does not wait for.
NEVER = 60.0


class Client:
    """The client's side of one exchange."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.exchange = Exchange({"type": "http", "headers": []}, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:  # noqa: ANN401  (ASGI's)
        self.sent.put_nowait(dict(message))

    async def text(self) -> str:
        """Return the next part of the body."""
        message = await self.sent.get()
        if message["type"] == "http.response.start":
            message = await self.sent.get()
        body: bytes = message["body"]
        return body.decode()

    def everything(self) -> str:
        """Return what is left of the body."""
        parts = []
        while not self.sent.empty():
            parts.append(self.sent.get_nowait().get("body", b""))
        return b"".join(parts).decode()


class Source:
    """A stream of messages that a test feeds."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[object] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def messages(self) -> AsyncIterator[object]:
        try:
            while (item := await self.items.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.closed.set()


def failure(code: grpc.StatusCode) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata())


def tell(_: BaseException) -> Problem:
    return of_defect("e-1")


def identity(value: object) -> object:
    return value


def events(
    source: Source,
    stopping: asyncio.Event | None = None,
    opening: float = NEVER,
    heartbeat: float = NEVER,
    write: Callable[[Any], Any] = identity,
) -> EventStream:
    stopping = stopping or asyncio.Event()
    return EventStream(source.messages(), write, tell, stopping, opening_seconds=opening, heartbeat_seconds=heartbeat)


async def test_each_message_is_an_event_and_the_end_is_visible() -> None:
    client, source = Client(), Source()
    for item in ({"a": 1}, {"a": 2}, None):
        source.items.put_nowait(item)

    await events(source).run(client.exchange)

    assert client.exchange.status == 200
    assert client.everything() == 'data: {"a":1}\n\ndata: {"a":2}\n\nevent: end\ndata: {}\n\n'
    assert source.closed.is_set()


async def test_a_stream_that_fails_at_once_sends_nothing() -> None:
    client, source = Client(), Source()
    source.items.put_nowait(failure(grpc.StatusCode.NOT_FOUND))

    with pytest.raises(AioRpcError):
        await events(source).run(client.exchange)

    assert (client.exchange.status, client.sent.qsize()) == (0, 0)


async def test_a_stream_that_fails_later_ends_with_an_error_event() -> None:
    client, source = Client(), Source()
    for item in ({"a": 1}, failure(grpc.StatusCode.INTERNAL)):
        source.items.put_nowait(item)

    await events(source).run(client.exchange)

    lines = client.everything().split("\n\n")
    assert lines[1].startswith('event: error\ndata: {"type":"/docs#INTERNAL"')


async def test_a_stream_whose_own_time_is_up_just_ends_so_that_the_client_comes_back() -> None:
    client, source = Client(), Source()
    for item in ({"a": 1}, failure(grpc.StatusCode.DEADLINE_EXCEEDED)):
        source.items.put_nowait(item)

    await events(source).run(client.exchange)

    assert client.everything() == 'data: {"a":1}\n\n'


async def test_a_quiet_stream_is_opened_and_kept_open_by_comments() -> None:
    client, source = Client(), Source()
    running = asyncio.create_task(events(source, opening=0.001, heartbeat=0.001).run(client.exchange))

    assert [await client.text() for _ in range(3)] == [": still here\n\n"] * 3
    source.items.put_nowait(None)
    await running
    assert client.exchange.status == 200


async def test_the_stream_is_given_up_when_the_client_goes() -> None:
    client, source = Client(), Source()
    source.items.put_nowait({"a": 1})
    running = asyncio.create_task(events(source).run(client.exchange))
    await client.text()

    client.gone.set()
    await running

    assert source.closed.is_set()


async def test_the_stream_ends_when_the_server_stops() -> None:
    client, source, stopping = Client(), Source(), asyncio.Event()
    source.items.put_nowait({"a": 1})
    running = asyncio.create_task(events(source, stopping).run(client.exchange))
    await client.text()

    stopping.set()
    await running

    assert client.everything() == ""
    assert source.closed.is_set()


async def test_a_stream_that_never_opened_is_told_that_the_server_stops() -> None:
    client, source, stopping = Client(), Source(), asyncio.Event()
    stopping.set()

    with pytest.raises(Refusal, match="stopping"):
        await events(source, stopping).run(client.exchange)


async def test_a_message_that_cannot_be_written_ends_the_stream_with_an_error_event() -> None:
    client, source = Client(), Source()
    for item in ({"a": 1}, {"a": 2}):
        source.items.put_nowait(item)

    def write(message: dict[str, int]) -> object:
        if message["a"] == 2:
            raise ValueError("cannot be written")
        return message

    await events(source, write=write).run(client.exchange)

    assert client.everything().split("\n\n")[1].startswith("event: error\ndata: ")
    assert source.closed.is_set()


async def test_a_stream_that_is_cancelled_from_within_is_told_as_a_stopping_server() -> None:
    client, source = Client(), Source()
    source.items.put_nowait(asyncio.CancelledError())

    with pytest.raises(Refusal, match="stopping"):
        await events(source).run(client.exchange)
