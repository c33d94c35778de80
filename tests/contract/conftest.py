"""What several contract suites run against."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.storage.store import open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA
from order_svc.app.ports import Orders
from tax_svc.app.ports import TaxAuthority
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_moves import CLOCK, Replicas
from tests.fakes.orders_in_memory import Database, FakeOrders
from tests.fakes.sandbox_world import sandbox_world
from tests.fakes.tax_authority import FakeTaxAuthority
from tests.fakes.tax_world import avatax_at


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def replicas(request: pytest.FixtureRequest, make_database: MakeDatabase) -> AsyncIterator[Replicas]:
    """Return what makes replicas that share an empty database."""
    if request.param == "memory":
        database = Database()
        yield lambda name, life: FakeOrders(database, CLOCK, name, life)
        return
    store = await open_store(make_database(request.param, MIGRATIONS), metadata=METADATA)
    try:
        yield lambda name, life: OrdersStore(store, CLOCK, name, life)
    finally:
        await store.close()


@pytest.fixture
def orders(replicas: Replicas) -> Orders:
    return replicas("here", "1")


@pytest.fixture(params=["fake", "sandbox"])
async def authority(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TaxAuthority]:
    """Return a tax authority that has recorded nothing: the fake, or AvaTax's adapter on the sandbox."""
    if request.param == "fake":
        yield FakeTaxAuthority()
        return
    async with sandbox_world(tmp_path) as world, avatax_at(f"{world.url}/avatax") as avatax:
        yield avatax
