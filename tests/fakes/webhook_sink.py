"""Somebody who receives webhooks, and says what a test wants to say."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from tests.fakes.http_peer import Conversation, HttpPeer


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request."""

    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        return orjson.loads(self.body)


class WebhookSink:
    """Answers with the given statuses in turn, then 200, and hands out what came in."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self._statuses = list(statuses)
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    async def next(self) -> Delivery:
        """Wait for the next delivery."""
        return await self._deliveries.get()

    async def answer(self, conversation: Conversation) -> None:
        while True:
            head, _, body = (await conversation.request()).partition(b"\r\n\r\n")
            lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
            await self._deliveries.put(Delivery({name.lower(): value for name, _, value in lines}, body))
            status = self._statuses.pop(0) if self._statuses else 200
            await conversation.say(f"HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n\r\n".encode())


@asynccontextmanager
async def webhook_sink(statuses: Sequence[int] = ()) -> AsyncIterator[tuple[WebhookSink, str]]:
    """Yield a sink and its address."""
    sink = WebhookSink(statuses)
    async with HttpPeer(sink.answer) as peer:
        yield sink, f"{peer.url}/webhooks"
