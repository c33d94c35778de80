"""The process dies at every point, with a real database: the next life sees every order through."""

from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest

from chassis.storage.store import open_store
from kernel.clock import SystemClock
from kernel.errors import Refusal
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA
from order_svc.domain.draft import Customer
from order_svc.domain.order import State
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_payments import DECLINED
from tests.fakes.order_promises import check_promises
from tests.fakes.order_samples import VISA, a_draft, a_request
from tests.fakes.order_world import Crash, Doom, Life, World

PATIENCE_SECONDS = 60


async def placed(life: Life, payment_method: str, name: str) -> None:
    """Place an order of a customer of that name; how it is answered does not matter."""
    draft = a_draft(customer=Customer(name, "ada@example.com", ""))
    with suppress(Refusal, Crash):
        await life.place(payment_method, a_request(name), draft, seconds=PATIENCE_SECONDS)
    await life.work.idle()


async def doomed(database_url: str) -> AsyncIterator[tuple[World, Doom, str]]:
    """Yield worlds on one database, each with a later point to crash at and a name, until a life passes them all."""
    store = await open_store(database_url, metadata=METADATA)
    doom, point = Doom(), 0
    while len(doom.passed) >= point:
        point += 1
        doom = Doom(point)
        yield World(SystemClock(), partial(OrdersStore, store, SystemClock(), f"replica-{point}")), doom, f"c-{point}"
    await store.close()
    assert point > 10


@pytest.mark.parametrize("payment_method", [VISA, DECLINED])
async def test_an_order_survives_a_crash_at_every_point(
    payment_method: str, database_kind: str, make_database: MakeDatabase
) -> None:
    async for world, doom, name in doomed(make_database(database_kind, MIGRATIONS)):
        dying = world.life(doom)
        await placed(dying, payment_method, name)
        with suppress(Crash):
            await dying.sweep()
        await dying.work.idle()

        life = world.life()
        await life.orders.release_own()
        await life.sweep()
        await placed(life, payment_method, name)
        await life.sweep()

        (order,) = await check_promises(world, life, name)
        assert (order.state is State.PAID) is (payment_method == VISA)
        assert life.work.defects == []


async def test_late_money_goes_back_once_after_a_crash_at_every_point(
    database_kind: str, make_database: MakeDatabase
) -> None:
    async for world, doom, name in doomed(make_database(database_kind, MIGRATIONS)):
        await placed(world.life(), DECLINED, name)
        (order_id,) = world.payments.payments
        world.payments.customer_pays(order_id)
        dying = world.life(doom)
        with suppress(Crash):
            await dying.news.look()
            await dying.sweep()
        await dying.work.idle()

        life = world.life()
        await life.orders.release_own()
        await life.news.look()
        await life.sweep()

        (order,) = await check_promises(world, life, name)
        assert (order.state, world.payments.unheard) == (State.FAILED, {})
        assert world.payments.refund_keys == [f"{order_id}:undo"]
