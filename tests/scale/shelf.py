"""All tables of a mesh in one PostgreSQL database, with the adapters that the services use on them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import MetaData, make_url

import notify_svc.__main__ as notify
import order_svc.__main__ as order
import payment_svc.__main__ as payment
import tax_svc.__main__ as tax
from chassis.storage import migrations
from chassis.storage.store import Store, open_store
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids
from notify_svc.adapters.notifications_store import NotificationsStore
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.webhook_announcer import Announcer
from order_svc.adapters.webhook_deliveries_store import DeliveriesStore
from order_svc.adapters.webhook_endpoints_store import EndpointsStore
from order_svc.app.webhook_ports import Audience
from payment_svc.adapters.payments_store import StoredPayments
from tax_svc.adapters.documents import StoredDocuments

CLOCK = SystemClock()
IDS = Uuid7Ids(CLOCK)

SERVICES = (order, payment, tax, notify)


def metadatas() -> list[MetaData]:
    """Return the tables of each service."""
    return [service.METADATA for service in SERVICES]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The adapters.

    Attributes:
        store: Of the order service, which does the most.
    """

    store: Store
    orders: OrdersStore
    endpoints: EndpointsStore
    deliveries: DeliveriesStore
    payments: StoredPayments
    documents: StoredDocuments
    notifications: NotificationsStore
    audience: Audience


def prepare(url: str) -> None:
    """Make all tables."""
    for service in SERVICES:
        migrations.run(url, service.MIGRATIONS)


@asynccontextmanager
async def shelf(url: str, name: str = "replica") -> AsyncIterator[Shelf]:
    """Open the adapters on a database that was prepared.

    Args:
        url: Where.
        name: Of the replica that works there.
    """
    async with AsyncExitStack() as closing:
        stores = []
        for metadata in metadatas():
            store = await open_store(url, metadata=metadata)
            closing.push_async_callback(store.close)
            stores.append(store)
        of_order, of_payment, of_tax, of_notify = stores
        audience = Audience()
        audience.join()
        yield Shelf(
            store=of_order,
            orders=OrdersStore(of_order, CLOCK, name, IDS.new(), Announcer(audience)),
            endpoints=EndpointsStore(of_order, CLOCK),
            deliveries=DeliveriesStore(of_order, CLOCK, IDS, name, IDS.new()),
            payments=StoredPayments(of_payment, CLOCK),
            documents=StoredDocuments(of_tax, CLOCK),
            notifications=NotificationsStore(of_notify, CLOCK),
            audience=audience,
        )


async def execute(url: str, *statements: str) -> list[list[tuple[object, ...]]]:
    """Run statements one by one, each in a transaction of its own, and return the rows of each."""
    import asyncpg  # noqa: PLC0415  (16 MB, for those who use it)

    place = make_url(url)
    connection = await asyncpg.connect(
        host=place.query.get("host", place.host), user="postgres", database=place.database
    )
    try:
        return [[tuple(row) for row in await connection.fetch(statement)] for statement in statements]
    finally:
        await connection.close()


async def prepared(url: str) -> None:
    """Make all tables, from within the loop."""
    await asyncio.to_thread(prepare, url)
