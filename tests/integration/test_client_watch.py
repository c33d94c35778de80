"""watch_order of both clients: every version once, over disconnects, for as long as there is hope."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, closing

import grpc
import pytest
from ordermesh.client import AsyncClient, Client, DeadlineExceeded, NotFound, Policy, Unavailable
from ordermesh.order.v1 import order_pb2, order_service_pb2

from kernel.errors import Reason, Refusal
from tests.fakes.client_kinds import KINDS, Kind
from tests.fakes.client_peer import Peer, client_peer

AWAY = Refusal(Reason.UNAVAILABLE, "This replica stops.")


def version(number: int) -> order_service_pb2.WatchOrderResponse:
    return order_service_pb2.WatchOrderResponse(order=order_pb2.Order(order_id="o-1", version=number))


@pytest.fixture
def peer() -> Iterator[Peer]:
    with client_peer() as running:
        yield running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, peer: Peer) -> Kind:
    policy = Policy(first_pause=0.01, longest_pause=0.05, watch_patience=0.5)
    return KINDS[request.param](order=peer.address, policy=policy)


def test_it_goes_on_after_what_was_seen(kind: Kind, peer: Peer) -> None:
    peer.script["WatchOrder"] = [
        [version(1), version(2), AWAY],
        [grpc.StatusCode.UNAVAILABLE],
        [version(2), version(3)],  # a replica that is behind repeats itself
    ]
    seen: list[int] = []

    kind.watch(lambda order: seen.append(order.version), "o-1", until_final=True)

    assert seen == [1, 2, 3]
    assert [each.request.after_version for each in peer.seen] == [0, 2, 2]
    assert all(each.request.until_final for each in peer.seen)


def test_it_begins_where_the_caller_says(kind: Kind, peer: Peer) -> None:
    peer.script["WatchOrder"] = [[version(8)]]
    seen: list[int] = []

    kind.watch(lambda order: seen.append(order.version), "o-1", after_version=7)

    assert seen == [8]
    assert peer.seen[0].request.after_version == 7
    assert not peer.seen[0].request.until_final


def test_it_survives_a_service_that_is_killed_and_comes_back(kind: Kind, peer: Peer) -> None:
    held = threading.Event()

    def hold() -> order_service_pb2.WatchOrderResponse:
        held.wait(10)
        return version(9)

    def kill_and_start() -> None:
        peer.stop()
        peer.script["WatchOrder"] = [[version(2)]]
        peer.start()
        held.set()

    peer.script["WatchOrder"] = [[version(1), hold]]
    seen: list[int] = []
    restart = threading.Thread(target=kill_and_start)

    def take(order: order_pb2.Order) -> None:
        seen.append(order.version)
        if order.version == 1:
            restart.start()

    kind.watch(take, "o-1")
    restart.join()

    assert seen == [1, 2]


def test_it_gives_up_when_nobody_comes_back(kind: Kind, peer: Peer) -> None:
    peer.script["WatchOrder"] = [[version(1), AWAY], [AWAY]]
    seen: list[int] = []
    began = time.monotonic()
    with pytest.raises(Unavailable):
        kind.watch(lambda order: seen.append(order.version), "o-1")

    assert seen == [1]
    assert 0.3 < time.monotonic() - began < 10.0
    assert len(peer.seen) > 5


def test_what_is_no_disconnect_ends_it(kind: Kind, peer: Peer) -> None:
    peer.script["WatchOrder"] = [[Refusal(Reason.ORDER_NOT_FOUND, "No such order.")]]
    with pytest.raises(NotFound):
        kind.watch(lambda _: None, "o-1")

    assert len(peer.seen) == 1


def test_it_ends_in_time(kind: Kind, peer: Peer) -> None:
    def late() -> order_service_pb2.WatchOrderResponse:
        time.sleep(1.0)
        return version(2)

    peer.script["WatchOrder"] = [[version(1), late]]
    seen: list[int] = []
    with pytest.raises(DeadlineExceeded):
        kind.watch(lambda order: seen.append(order.version), "o-1", timeout=0.4)

    assert seen == [1]


def endless() -> order_service_pb2.WatchOrderResponse:
    time.sleep(0.05)
    return version(1)


def test_who_stops_looking_ends_the_call(peer: Peer) -> None:
    peer.script["WatchOrder"] = [[version(1), *[endless] * 400]]
    with Client(order=peer.address) as client:
        with closing(client.watch_order("o-1")) as orders:
            assert next(orders).version == 1
            assert peer.open == 1
        peer.wait_until_all_ended()


async def test_who_stops_looking_ends_the_call_in_a_loop_as_well(peer: Peer) -> None:
    peer.script["WatchOrder"] = [[version(1), *[endless] * 400]]
    async with AsyncClient(order=peer.address) as client:
        async with aclosing(client.watch_order("o-1")) as orders:
            assert (await anext(orders)).version == 1
            assert peer.open == 1
        await asyncio.to_thread(peer.wait_until_all_ended)


async def test_a_watch_ends_with_the_task_that_looks(peer: Peer) -> None:
    peer.script["WatchOrder"] = [[version(1), *[endless] * 400]]

    async def look(client: AsyncClient) -> None:
        async for _ in client.watch_order("o-1"):
            pass

    async with AsyncClient(order=peer.address) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(look(client), 0.5)
        await asyncio.to_thread(peer.wait_until_all_ended)
    assert len(peer.seen) == 1
