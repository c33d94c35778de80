"""Orders offered by clients that cost next to nothing, over gRPC and REST, and what became of each.

A client stands for other machines and runs on the one it measures: it sends bytes that were made beforehand, reads
answers when the load is over, and says how late it was itself.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

import grpc
import orjson
from google.protobuf import json_format
from ordermesh.order.v1 import order_pb2, order_service_pb2

from bench.load import request
from chassis.errors import refusal_of
from chassis.trust.transport import plaintext
from kernel.errors import Reason

_PLACE = "/ordermesh.order.v1.OrderService/PlaceOrder"

# As long as the gateway waits for a service. Whoever places an order waits as long; an answer that comes later is none.
CALL_SECONDS = 15.0


class End(Enum):
    """What became of an order."""

    PAID = "paid"
    UNDER_WAY = "under way"
    REFUSED = "refused"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Call:
    """An order that was answered, or was not.

    Attributes:
        began: Monotonic seconds.
        ended: Likewise.
        end: What became of it.
        words: What a person has to know of one that went wrong.
    """

    began: float
    ended: float
    end: End
    words: str = ""

    @property
    def milliseconds(self) -> float:
        """Return how long it took."""
        return 1000 * (self.ended - self.began)


@dataclass(slots=True)
class Offer:
    """A slice of load.

    Attributes:
        began: When the first order was due, in monotonic seconds.
        seconds: How long orders were offered.
        calls: What was offered.
        late_ms: How late the client itself was with what was due.
    """

    began: float
    seconds: float
    calls: list[Call] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)

    def paid_between(self, since: float, until: float) -> int:
        """Return how many orders were answered as paid within a time, in monotonic seconds."""
        return sum(call.end is End.PAID and since < call.ended <= until for call in self.calls)


Place = Callable[[str], Awaitable[tuple[End, str]]]
"""Places an order under a key, and says what became of it."""


async def closed(place: Place, name: str, in_flight: int, seconds: float) -> Offer:
    """Keep so many orders in flight: each is sent when another was answered."""
    offer = Offer(time.monotonic(), seconds)

    async def one_after_another(worker: int) -> None:
        number = 0
        while time.monotonic() < offer.began + seconds:
            await _called(place, f"{name}-{worker}-{number}", time.monotonic(), offer)
            number += 1

    await asyncio.gather(*(one_after_another(worker) for worker in range(in_flight)))
    return offer


async def opened(place: Place, name: str, per_second: float, seconds: float) -> Offer:
    """Send so many orders a second, whatever becomes of them."""
    offer = Offer(time.monotonic(), seconds)
    calls: list[asyncio.Task[None]] = []
    total = int(per_second * seconds)
    while len(calls) < total:
        now = time.monotonic()
        for number in range(len(calls), min(total, int((now - offer.began) * per_second) + 1)):
            offer.late_ms.append(1000 * (now - offer.began - number / per_second))
            calls.append(asyncio.create_task(_called(place, f"{name}-{number}", now, offer)))
        await asyncio.sleep(max(0.0, offer.began + len(calls) / per_second - time.monotonic()))
    await asyncio.gather(*calls)
    return offer


async def _called(place: Place, key: str, began: float, offer: Offer) -> None:
    end, words = await place(key)
    offer.calls.append(Call(began, time.monotonic(), end, words))


class OverGrpc:
    """Places orders with the order service over one connection. Use it as an async context manager."""

    def __init__(self, address: str) -> None:
        self._channel = plaintext(address, [])
        self._call: Callable[..., Awaitable[bytes]] = self._channel.unary_unary(_PLACE, None, None)
        self._like = request("").SerializeToString()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def place(self, key: str) -> tuple[End, str]:
        """Place an order."""
        # Two messages in a row are one message: all that differs is the key.
        asked = self._like + order_service_pb2.PlaceOrderRequest(request_id=key).SerializeToString()
        try:
            answer = await self._call(asked, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            if refusal is not None and refusal.reason is Reason.OVERLOADED and refusal.retry_after is not None:
                return End.REFUSED, ""
            return End.WRONG, f"{error.code().name} {error.details()}"
        state = order_service_pb2.PlaceOrderResponse.FromString(answer).order.state
        return (End.PAID if state == order_pb2.ORDER_STATE_PAID else End.UNDER_WAY), ""


class OverRest:
    """Places orders with the gateway over as many connections as it needs. Use it as an async context manager."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        like = json_format.MessageToDict(request(""), preserving_proto_field_name=True)
        self._body = orjson.dumps(like)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for _reader, writer in self._idle:
            writer.close()

    async def place(self, key: str) -> tuple[End, str]:
        """Place an order."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                status, headers, body = await self._post(key)
        except (OSError, EOFError, TimeoutError) as error:
            return End.WRONG, type(error).__name__
        if status == 429 and "retry-after:" in headers:
            return End.REFUSED, ""
        if status != 201:
            return End.WRONG, f"{status} {body[:200].decode(errors='replace')}"
        return (End.PAID if b'"state":"PAID"' in body else End.UNDER_WAY), ""

    async def _post(self, key: str) -> tuple[int, str, bytes]:
        """Return the status of an answer, its headers in small letters, and its body."""
        reader, writer = await self._connection()
        head = (
            f"POST /api/v1/orders HTTP/1.1\r\nhost: {self._host}:{self._port}\r\ncontent-type: application/json\r\n"
            f"idempotency-key: {key}\r\ncontent-length: {len(self._body)}\r\n\r\n"
        )
        writer.write(head.encode() + self._body)
        try:
            headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(line for line in headers.split("\r\n") if line.startswith("content-length:"))
            body = await reader.readexactly(int(length.partition(":")[2]))
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return int(headers.split(" ", 2)[1]), headers, body

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            # The gateway ends connections that were not used for 75 s.
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)


def percentile(values: Sequence[float], hundredth: int) -> float:
    """Return a percentile; 0 of nothing."""
    return statistics.quantiles(values, n=100, method="inclusive")[hundredth - 1] if len(values) > 1 else sum(values)
