"""ordermesh.client in front of the real order service, as a shop's own program uses it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ordermesh.client import AsyncClient, Client, NotFound, PaymentDeclined, Policy, RequestIdReused, ValidationFailed
from ordermesh.order.v1 import order_pb2, order_service_pb2

from order_svc.__main__ import MIGRATIONS
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_faults import Held
from tests.fakes.order_payments import DECLINED
from tests.fakes.order_requests import place_request
from tests.fakes.order_samples import ORDER_ID
from tests.fakes.order_service import Shop, a_shop

PAID, PENDING, FAILED = order_pb2.ORDER_STATE_PAID, order_pb2.ORDER_STATE_PENDING, order_pb2.ORDER_STATE_FAILED


@pytest.fixture
async def shop(tmp_path: Path, make_database: MakeDatabase) -> AsyncIterator[Shop]:
    async with a_shop(tmp_path, make_database("sqlite", MIGRATIONS)) as made:
        yield made


def get(order_id: str) -> order_service_pb2.GetOrderRequest:
    return order_service_pb2.GetOrderRequest(order_id=order_id)


async def test_an_order_is_placed_without_a_key_and_read(shop: Shop) -> None:
    request = place_request(request_id="")
    async with shop.open(), AsyncClient(order=shop.address) as client:
        first = (await client.orders.PlaceOrder(request)).order
        second = (await client.orders.PlaceOrder(request)).order
        read = (await client.orders.GetOrder(get(first.order_id))).order

    assert first.state == second.state == read.state == PAID
    assert first.order_id != second.order_id
    assert len(shop.peers.payments.captures) == 2


async def test_threads_get_the_same_answers(shop: Shop) -> None:
    def buy(address: str) -> tuple[order_pb2.Order, list[int]]:
        with Client(order=address) as client:
            placed = client.orders.PlaceOrder(place_request()).order
            again = client.orders.PlaceOrder(place_request()).order
            assert again.order_id == placed.order_id
            return placed, [order.state for order in client.watch_order(placed.order_id, timeout=30)]

    async with shop.open():
        order, watched = await asyncio.to_thread(buy, shop.address)

    assert order.state == PAID
    assert set(watched) == {PAID}


async def test_what_is_refused_is_told_by_class(shop: Shop) -> None:
    other = place_request()
    other.items[0].quantity = 3
    async with shop.open(), AsyncClient(order=shop.address) as client:
        await client.orders.PlaceOrder(place_request())
        with pytest.raises(RequestIdReused) as reused:
            await client.orders.PlaceOrder(other)
        with pytest.raises(PaymentDeclined) as declined:
            await client.orders.PlaceOrder(place_request("k-2", DECLINED))
        with pytest.raises(NotFound) as nowhere:
            await client.orders.GetOrder(get(ORDER_ID))
        with pytest.raises(ValidationFailed) as malformed:
            await client.orders.GetOrder(get("no id"))
        failed = (await client.orders.GetOrder(get(declined.value.order_id))).order

    assert reused.value.request_id == "k-1"
    assert declined.value.decline_code == "insufficient_funds"
    assert failed.state == FAILED
    assert nowhere.value.order_id == ORDER_ID
    assert [each.field for each in malformed.value.fields] == ["order_id"]


async def test_a_call_outlives_a_service_that_is_down_when_it_begins(shop: Shop) -> None:
    async with shop.open():
        pass  # its port is known from here on
    patient = Policy(attempts=50, first_pause=0.1, longest_pause=0.2)
    async with AsyncClient(order=shop.address, policy=patient) as client:
        placing = asyncio.ensure_future(client.orders.PlaceOrder(place_request(request_id="")))
        await asyncio.sleep(0.3)
        assert not placing.done()
        async with shop.open(address=shop.address):
            answer = await placing

    assert answer.order.state == PAID
    assert len(shop.peers.payments.captures) == 1


async def test_a_watch_goes_on_over_a_restart(shop: Shop) -> None:
    seen: list[order_pb2.Order] = []
    begun, answered = asyncio.Event(), asyncio.Event()
    shop.peers.payments.faults.plan("charge", Held(answered))

    async def watch(order_id: str) -> None:
        async with AsyncClient(order=shop.address) as client:
            async for order in client.watch_order(order_id, timeout=60):
                seen.append(order)
                begun.set()

    async with shop.open(patience_seconds=0.1) as orders:
        order = (await orders.PlaceOrder(place_request())).order
        watching = asyncio.ensure_future(watch(order.order_id))
        await begun.wait()
        # The streams are cut off after 0.3 s; the charge is answered after that, while nobody can be told.
        asyncio.get_running_loop().call_later(0.6, answered.set)
    async with shop.open(address=shop.address):
        await watching

    versions = [each.version for each in seen]
    assert versions == sorted(set(versions))
    assert (seen[0].state, seen[-1].state) == (PENDING, PAID)
