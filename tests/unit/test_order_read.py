"""Reading and watching orders."""

import asyncio

import pytest

from kernel.errors import Reason, Refusal
from order_svc.domain.order import Order, State
from tests.fakes.order_faults import Slow
from tests.fakes.order_payments import DECLINED
from tests.fakes.order_samples import ORDER_ID, a_request
from tests.fakes.order_world import Life, World, in_a_world
from tests.fakes.orders_in_memory import FakeOrders, Trouble


async def watched(life: Life, order_id: str, after_version: int = 0) -> list[Order]:
    return [order async for order in life.read.watch(order_id, after_version)]


async def slow_order(world: World, life: Life, payment_method: str = "pm_card_visa") -> str:
    """Begin an order that takes two seconds to be quoted and two to be charged; return its id."""
    world.taxes.faults.plan("quote", Slow(2))
    world.payments.faults.plan("charge", Slow(2))
    return (await life.place(payment_method, seconds=0.0)).order_id


@in_a_world
async def test_an_order_that_does_not_exist_is_not_found(world: World) -> None:
    read = world.life().read

    for reading in (read.get(ORDER_ID), read.explain(ORDER_ID), anext(read.watch(ORDER_ID, 0))):
        with pytest.raises(Refusal) as refused:
            await reading
        assert refused.value.reason is Reason.ORDER_NOT_FOUND
        assert refused.value.metadata == {"orderId": ORDER_ID}


@in_a_world
async def test_a_watcher_sees_every_version_from_the_first_to_the_last(world: World) -> None:
    life = world.life()
    order_id = await slow_order(world, life)

    seen = await watched(life, order_id)

    assert [(order.version, order.state) for order in seen] == [
        (1, State.PENDING),
        (2, State.PENDING),
        (3, State.PAID),
    ]
    assert world.clock.monotonic() == 4.0


@in_a_world
async def test_a_watcher_sees_an_order_fail(world: World) -> None:
    life = world.life()
    order_id = await slow_order(world, life, DECLINED)

    assert (await watched(life, order_id))[-1].state is State.FAILED


@in_a_world
async def test_a_watcher_is_not_shown_what_it_has_seen(world: World) -> None:
    life = world.life()
    order_id = await slow_order(world, life)

    assert [order.version for order in await watched(life, order_id, after_version=2)] == [3]
    assert await watched(life, order_id, after_version=3) == []


@in_a_world
async def test_a_watcher_of_a_settled_order_sees_it_once(world: World) -> None:
    life = world.life()
    order = await life.place()

    assert [each.version for each in await watched(life, order.order_id)] == [order.version]


@in_a_world
async def test_a_slow_watcher_misses_no_version(world: World) -> None:
    life = world.life()
    order_id = await slow_order(world, life)

    seen = []
    async for order in life.read.watch(order_id, 0):
        seen.append(order.version)
        await world.clock.sleep(10)

    assert seen == [1, 2, 3]


@in_a_world
async def test_a_watcher_at_another_replica_sees_the_end(world: World) -> None:
    life = world.life()
    order_id = await slow_order(world, life)

    seen = await watched(world.life(), order_id)

    assert seen[-1].state is State.PAID
    assert world.clock.monotonic() < 5.5


@in_a_world
async def test_a_watcher_who_comes_at_any_moment_hears_of_the_end_at_once(world: World) -> None:
    for ticks in range(20):
        life = world.life()
        order = await life.place(request=a_request(f"k-{ticks}"), seconds=0.0)
        for _ in range(ticks):
            await asyncio.sleep(0)

        seen = await watched(life, order.order_id)

        assert (seen[-1].state, world.clock.monotonic()) == (State.PAID, 0.0)


@in_a_world
async def test_many_watchers_see_the_same(world: World) -> None:
    life = world.life()
    order_id = await slow_order(world, life)

    seen = await asyncio.gather(*(watched(life, order_id) for _ in range(50)))

    assert all(each == seen[0] for each in seen)


@in_a_world
async def test_watchers_that_go_away_leave_nothing_behind(world: World) -> None:
    life = world.life()
    order_id = await slow_order(world, life)
    watching = [asyncio.create_task(watched(life, order_id)) for _ in range(50)]
    await world.clock.sleep(1)

    for task in watching[:25]:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)

    assert not life.changes._watches


@in_a_world
async def test_a_watcher_is_told_when_the_database_is_away(world: World) -> None:
    orders = FakeOrders(world.database, world.clock)
    life = world.life(orders=orders)
    order_id = await slow_order(world, life)
    watching = asyncio.create_task(watched(life, order_id))
    await world.clock.sleep(0.5)

    orders.trouble["get"].append(Trouble.AWAY)

    with pytest.raises(Refusal) as refused:
        await watching
    assert refused.value.reason is Reason.UNAVAILABLE
    assert not life.changes._watches
