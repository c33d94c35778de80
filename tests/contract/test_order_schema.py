"""The migrations of the order service make exactly the tables that its store works with."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from chassis.storage import migrations
from chassis.storage.changes import Change, Insert
from chassis.storage.store import open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters import rows
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA, ORDER_ITEMS, ORDERS
from order_svc.domain.order import Order, Stage
from tests.fakes.order_moves import CLOCK, fresh
from tests.fakes.order_stages import FULL, undoing


def differences(connection: Connection) -> list[Any]:
    options = {"version_table": "order_svc_version", "compare_type": True}
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    return found


async def test_the_migrations_make_the_tables_of_the_store(database_url: str) -> None:
    await asyncio.to_thread(migrations.run, database_url, MIGRATIONS)
    store = await open_store(database_url, metadata=METADATA)

    assert await store.read(differences) == []

    await store.close()


async def test_migrating_twice_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        await asyncio.to_thread(migrations.run, database_url, MIGRATIONS)


async def test_orders_of_before_there_was_news_are_read_and_their_writer_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    older = tmp_path / "order_svc" / "migrations"
    (older / "versions").mkdir(parents=True)
    shutil.copy(Path(MIGRATIONS) / "versions" / "0001_orders.py", older / "versions")
    before, after = undoing(FULL), fresh(Stage.CHARGING)
    await asyncio.to_thread(migrations.run, database_url, str(older))
    await _write_as_before(database_url, before)

    await asyncio.to_thread(migrations.run, database_url, MIGRATIONS)
    await _write_as_before(database_url, after)

    store = await open_store(database_url, metadata=METADATA)
    orders = OrdersStore(store, CLOCK, "here", "1")
    read = [await orders.get(order.order_id) for order in (before, after)]
    await store.close()
    assert read == [before, after]
    assert read[0] is not None
    assert read[0].payment is not None
    # The key of a refund that was under way over the upgrade stays the same.
    assert (read[0].refund_number, read[0].payment.version) == (1, 0)


async def _write_as_before(database_url: str, order: Order) -> None:
    """Write an order as the code did that knew no news."""
    unknown = {"payment_version", "refund_number"}
    columns = {**rows.fixed_columns(order), **rows.moving_columns(order), "lease_owner": None, "wake_at": None}
    row = {name: value for name, value in columns.items() if name not in unknown}
    store = await open_store(database_url, metadata=METADATA)
    await store.commit(
        Change((), (Insert(ORDERS, row), *(Insert(ORDER_ITEMS, item) for item in rows.item_rows(order))))
    )
    await store.close()
