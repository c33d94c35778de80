"""ordermesh.client as the stubs that it wraps: other ways to call, streams, cancelling, types, channels."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import assert_type

import grpc
import pytest
from opentelemetry import propagate, trace
from ordermesh.client import AsyncClient, Client, OrdermeshError, Policy
from ordermesh.order.v1 import order_pb2, order_service_pb2

from kernel.errors import Reason, Refusal
from tests.fakes.client_peer import Peer, client_peer

PLACED = order_service_pb2.PlaceOrderResponse(order=order_pb2.Order(order_id="o-1"))
FOUND = order_service_pb2.GetOrderResponse(order=order_pb2.Order(order_id="o-1"))
SEEN = order_service_pb2.WatchOrderResponse(order=order_pb2.Order(order_id="o-1", version=1))
PLACE = order_service_pb2.PlaceOrderRequest()
GET = order_service_pb2.GetOrderRequest(order_id="o-1")
WATCH = order_service_pb2.WatchOrderRequest(order_id="o-1")
AWAY = Refusal(Reason.UNAVAILABLE, "The provider is away.")

FAST = Policy(first_pause=0.01, longest_pause=0.02)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with client_peer() as running:
        yield running


def test_stubs_keep_their_other_ways_to_call(peer: Peer) -> None:
    peer.script["GetOrder"] = [AWAY, FOUND]
    with Client(order=peer.address, policy=FAST) as client:
        answer, call = client.orders.GetOrder.with_call(GET)
        future = client.orders.GetOrder.future(GET)

    assert answer == future.result() == FOUND
    assert call.code() is grpc.StatusCode.OK


def test_a_stream_of_the_stub_can_be_asked_and_cancelled(peer: Peer) -> None:
    waiting = threading.Event()

    def wait() -> order_service_pb2.WatchOrderResponse:
        waiting.wait(10)
        return SEEN

    peer.script["WatchOrder"] = [[SEEN, wait]]
    with Client(order=peer.address) as client:
        stream = client.orders.WatchOrder(WATCH, timeout=9)
        assert next(stream) == SEEN
        assert stream.is_active()
        assert 5 < stream.time_remaining() <= 9
        stream.cancel()
        with pytest.raises(OrdermeshError) as failed:
            next(stream)
        waiting.set()

        assert (stream.code(), stream.details()) == (grpc.StatusCode.CANCELLED, failed.value.message)
    assert failed.value.code is grpc.StatusCode.CANCELLED


async def test_mypy_knows_what_every_way_answers(peer: Peer) -> None:
    """The assertions are the type checker's; at run time the calls have to work as well."""
    peer.script |= {"GetOrder": [FOUND], "WatchOrder": [[SEEN]]}
    with Client(order=peer.address) as client:
        assert_type(client.orders.GetOrder(GET), order_service_pb2.GetOrderResponse)
        assert_type(next(client.orders.WatchOrder(WATCH)), order_service_pb2.WatchOrderResponse)
        assert_type(list(client.watch_order("o-1")), list[order_pb2.Order])
    async with AsyncClient(order=peer.address) as loop_client:
        assert_type(await loop_client.orders.GetOrder(GET), order_service_pb2.GetOrderResponse)
        async for seen in loop_client.orders.WatchOrder(WATCH):
            assert_type(seen, order_service_pb2.WatchOrderResponse)
        async for order in loop_client.watch_order("o-1"):
            assert_type(order, order_pb2.Order)
    assert len(peer.seen) == 6


async def test_a_task_that_is_cancelled_cancels_its_call_and_makes_no_other(peer: Peer) -> None:
    freed = threading.Event()

    def hold() -> order_service_pb2.PlaceOrderResponse:
        freed.wait(10)
        return PLACED

    peer.script["PlaceOrder"] = [hold]
    async with AsyncClient(order=peer.address, policy=FAST) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.orders.PlaceOrder(PLACE), 0.5)
        await asyncio.to_thread(peer.wait_until_all_ended)
    freed.set()
    assert len(peer.seen) == 1


def test_opentelemetrys_own_propagation_fits(peer: Peer) -> None:
    peer.script["GetOrder"] = [FOUND]
    span = trace.NonRecordingSpan(trace.SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=trace.TraceFlags(1)))
    with trace.use_span(span), Client(order=peer.address, inject=propagate.inject) as client:
        client.orders.GetOrder(GET)

    assert peer.seen[0].metadata["traceparent"] == f"00-{0xA1:032x}-{0xB2:016x}-01"


def test_a_service_that_comes_back_is_found_at_once(peer: Peer) -> None:
    peer.script["GetOrder"] = [FOUND]
    with Client(order=peer.address, policy=Policy(attempts=100, longest_pause=0.2)) as client:
        client.orders.GetOrder(GET)
        peer.stop()
        back = threading.Timer(6.0, peer.start)  # at grpc's own pace it would be looked for after 5 s and after 9 s
        back.start()
        began = time.monotonic()
        client.orders.GetOrder(GET, timeout=20)

    assert time.monotonic() - began < 7.5
