"""What several contract suites run against."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.storage.store import open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA
from order_svc.adapters.webhook_deliveries_store import DeliveriesStore
from order_svc.adapters.webhook_endpoints_store import EndpointsStore
from order_svc.app.ports import Orders
from tax_svc.app.ports import TaxAuthority
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_moves import CLOCK, IDS, Replicas
from tests.fakes.orders_in_memory import Database, FakeOrders
from tests.fakes.sandbox_world import sandbox_world
from tests.fakes.tax_authority import FakeTaxAuthority
from tests.fakes.tax_world import avatax_at
from tests.fakes.webhook_stores import Hooks, Replica
from tests.fakes.webhooks_in_memory import FakeWebhooks, HookDatabase


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


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def hooks(request: pytest.FixtureRequest, make_database: MakeDatabase) -> AsyncIterator[Hooks]:
    """Return what makes replicas of the webhooks' ports on an empty database."""
    if request.param == "memory":
        database = HookDatabase()

        def in_memory(name: str, life: str) -> Replica:
            fake = FakeWebhooks(database, CLOCK, IDS, name, life)
            return Replica(fake, fake, fake)

        yield Hooks(in_memory, database)
        return
    opened = await open_store(make_database(request.param, MIGRATIONS), metadata=METADATA)

    def stored(name: str, life: str) -> Replica:
        deliveries = DeliveriesStore(opened, CLOCK, IDS, name, life)
        return Replica(EndpointsStore(opened, CLOCK), deliveries, deliveries)

    try:
        yield Hooks(stored, opened)
    finally:
        await opened.close()


@pytest.fixture(params=["fake", "sandbox"])
async def authority(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TaxAuthority]:
    """Return a tax authority that has recorded nothing: the fake, or AvaTax's adapter on the sandbox."""
    if request.param == "fake":
        yield FakeTaxAuthority()
        return
    async with sandbox_world(tmp_path) as world, avatax_at(f"{world.url}/avatax") as avatax:
        yield avatax
