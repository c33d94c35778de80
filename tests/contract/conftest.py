"""Stores that several contract suites run against."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis.storage import migrations
from chassis.storage.store import open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA
from order_svc.app.ports import Orders
from tests.fakes.order_moves import CLOCK, Replicas
from tests.fakes.orders_in_memory import Database, FakeOrders


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def replicas(request: pytest.FixtureRequest) -> AsyncIterator[Replicas]:
    """Return what makes replicas that share an empty database."""
    if request.param == "memory":
        database = Database()
        yield lambda name, life: FakeOrders(database, CLOCK, name, life)
        return
    url = request.getfixturevalue(f"{request.param}_url")
    await asyncio.to_thread(migrations.run, url, MIGRATIONS)
    store = await open_store(url, metadata=METADATA)
    try:
        yield lambda name, life: OrdersStore(store, CLOCK, name, life)
    finally:
        await store.close()


@pytest.fixture
def orders(replicas: Replicas) -> Orders:
    return replicas("here", "1")
