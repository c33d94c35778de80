"""Nothing of a call that was refused stays behind until the garbage collector looks, however large its request was."""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from ordermesh.order.v1 import order_service_pb2

from kernel.errors import Reason, Refusal
from tests.fakes.scripted_service import GET, Found, Get, find, scripted

SERVICE = "/ordermesh.order.v1.OrderService"
GARBAGE = b"\xff" * 1_000
BREAKS_RULES = order_service_pb2.PlaceOrderRequest(request_id="x" * 1_000).SerializeToString()
FINE = GET.SerializeToString()

# More than are asked for at a time: each of those might keep the last call that it has seen.
CALLS = 40

# grpc's own loop keeps the last call of a method that it has seen until the next one comes.
KEPT_BY_GRPC = 4

TRIES = 5


async def refuse() -> Found:
    # Held by the frame that raises it, as a use case holds an outcome.
    refusal = Refusal(Reason.ORDER_NOT_FOUND, "There is no such order.")
    raise refusal


async def refuse_because() -> Found:
    try:
        return await broken()
    except ValueError as error:
        refusal = Refusal(Reason.ORDER_NOT_FOUND, "There is no such order.")
        raise refusal from error


async def broken() -> Found:
    error = ValueError("what nobody thought of")
    raise error


REFUSED: list[tuple[str, bytes, Get]] = [
    ("GetOrder", GARBAGE, find),
    ("PlaceOrder", BREAKS_RULES, find),
    ("GetOrder", FINE, refuse),
    ("GetOrder", FINE, refuse_because),
    ("GetOrder", FINE, broken),
    # A stream that is refused before its first answer looks to its caller like any other call.
    ("WatchOrder", GARBAGE, find),
    ("Nothing", FINE, find),
]


@pytest.fixture
def _collector_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Pytest keeps what is logged, and with it the error of a defect.
    monkeypatch.setattr(logging.getLogger("chassis.serving.errors"), "disabled", True)
    gc.disable()
    yield
    gc.enable()


def errors() -> Counter[str]:
    """Return how many errors there are in this process, by kind: those that were caught and let go are none."""
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, BaseException))


@pytest.mark.usefixtures("_collector_off")
async def test_no_error_of_a_refused_call_stays() -> None:
    async with scripted() as running, running.channel() as opened:
        # Bytes to bytes; grpc's types want messages.
        channel: Any = opened
        before = errors()
        refused = 0
        for method, sent, get in REFUSED:
            running.servicer.get = get
            for _ in range(CALLS):
                try:
                    await channel.unary_unary(f"{SERVICE}/{method}")(sent)
                except grpc.aio.AioRpcError:
                    refused += 1

        # A caller hears of the end a little before the server is done with it.
        for _ in range(TRIES):
            left = errors() - before
            if left.total() <= KEPT_BY_GRPC:
                break
            await asyncio.sleep(0.1)
        assert left.total() <= KEPT_BY_GRPC, left
        assert refused == CALLS * len(REFUSED)
