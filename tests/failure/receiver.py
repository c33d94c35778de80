"""One of the shop's other systems: a real HTTP server that hears of orders, and is up and down."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

from tests.failure.history import Json
from tests.fakes.http_peer import Conversation, HttpPeer

# How long a replica may not know of the very first endpoint, which was made at another: about a second.
_HEARD_OF_SECONDS = 2.0


class Mood(StrEnum):
    """What it makes of a message."""

    TAKES = "takes"
    REFUSES = "refuses"
    """It answers 503."""
    CUTS = "cuts"
    """It takes the message, and its answer is lost."""
    HANGS = "hangs"
    """It never answers."""


class Receiver:
    """Takes messages, and keeps each once, however often it comes.

    Attributes:
        mood: What it makes of those that come now.
        messages: Every message that it took, by id.
        repeated: How often one came again.
        complaints: What was wrong with messages, in words.
    """

    def __init__(self) -> None:
        self.mood = Mood.TAKES
        self.messages: dict[str, Json] = {}
        self.repeated = 0
        self.complaints: list[str] = []
        self._secret = ""
        self._replays = 0

    async def register(self, rest_url: str, url: str) -> None:
        """Have the mesh tell it of orders, from now on."""
        body = {"url": url, "description": "The warehouse."}
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.post(
                f"{rest_url}/api/v1/webhookEndpoints", json=body, headers={"Idempotency-Key": "warehouse"}
            )
        assert answer.status_code in {httpx.codes.OK, httpx.codes.CREATED}, answer.text
        self._secret = answer.json()["secret"]
        await asyncio.sleep(_HEARD_OF_SECONDS)

    async def catch_up(self, rest_url: str) -> int:
        """Have sent at once what waits for its next try, as a person does; returns how much is still to come.

        Raises:
            httpx.HTTPError: Nobody answers.
        """
        url = f"{rest_url}/api/v1/webhookDeliveries"
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.get(url, params={"state": "PENDING", "page_size": 200})
            answer.raise_for_status()
            waiting = answer.json().get("deliveries", [])
            for each in waiting:
                if each.get("attempts") and "next_attempt_time" in each:
                    self._replays += 1
                    key = f"replay-{self._replays}"
                    await client.post(f"{url}/{each['delivery_id']}:replay", headers={"Idempotency-Key": key})
        return len(waiting)

    def told_of(self, order_id: str) -> list[Json]:
        """Return the messages about an order."""
        return [each for each in self.messages.values() if each["data"]["order_id"] == order_id]

    async def converse(self, conversation: Conversation) -> None:
        """Answer the requests of a connection."""
        while True:
            head, _, body = (await conversation.request()).partition(b"\r\n\r\n")
            if self.mood is Mood.HANGS:
                await conversation.until_closed()
                return
            if self.mood is Mood.REFUSES:
                await conversation.say(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
                continue
            lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
            self._take({name.lower(): value for name, _, value in lines}, body)
            if self.mood is Mood.CUTS:
                conversation.reset()
                return
            await conversation.say(b"HTTP/1.1 204 No Content\r\n\r\n")

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        message_id = headers.get("webhook-id", "")
        try:
            Webhook(self._secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.complaints.append(f"the message {message_id!r} is not signed as it should be: {error}")
            return
        message = json.loads(body)
        self.repeated += message_id in self.messages
        if self.messages.setdefault(message_id, message) != message:
            self.complaints.append(f"the message {message_id} came as {self.messages[message_id]} and as {message}")


@asynccontextmanager
async def listening(rest_url: str) -> AsyncIterator[Receiver]:
    """Run a receiver that the mesh tells of orders, for as long as the context is open."""
    receiver = Receiver()
    async with HttpPeer(receiver.converse) as peer:
        await receiver.register(rest_url, f"{peer.url}/hooks")
        yield receiver
