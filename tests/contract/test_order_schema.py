"""The migrations of the order service make exactly the tables that its store works with."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from chassis.storage import migrations
from chassis.storage.changes import Change, Insert
from chassis.storage.store import open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters import rows
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA, ORDER_ITEMS, ORDER_TASKS, ORDERS
from order_svc.domain.order import Order, Stage
from order_svc.domain.task import Task, TaskKind
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


@pytest.mark.postgres
async def test_references_are_compared_by_their_bytes_whatever_the_locale(postgres_url: str) -> None:
    await asyncio.to_thread(migrations.run, postgres_url, MIGRATIONS)
    store = await open_store(postgres_url, metadata=METADATA)
    collation = text(
        "SELECT collation_name FROM information_schema.columns"
        " WHERE table_name = 'orders' AND column_name = 'reference'"
    )

    assert await store.read(lambda connection: connection.execute(collation).scalar_one()) == "C"

    await store.close()


async def test_migrating_twice_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        await asyncio.to_thread(migrations.run, database_url, MIGRATIONS)


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005"])
async def test_orders_of_every_revision_before_are_read_and_their_writer_goes_on(
    database_url: str, tmp_path: Path, revision: str
) -> None:
    before, after = undoing(FULL), fresh(Stage.CHARGING)
    older = _migrations_up_to(revision, tmp_path)
    await asyncio.to_thread(migrations.run, database_url, older)
    known = await _columns(database_url)
    await _write_as_before(database_url, known, before)

    await asyncio.to_thread(migrations.run, database_url, MIGRATIONS)
    await _write_as_before(database_url, known, after)

    store = await open_store(database_url, metadata=METADATA)
    orders = OrdersStore(store, CLOCK, "here", "1")
    read = [await orders.get(order.order_id) for order in (before, after)]
    claimed = await orders.claim_tasks(10, 60.0)
    await store.close()
    assert read == [before, after]
    assert read[0] is not None
    assert read[0].payment is not None
    # The key of a refund that was under way over the upgrade stays the same.
    assert (read[0].refund_number, read[0].payment.version) == (1, 0)
    assert [(task.name, task.order_id) for task, _ in claimed] == [
        ("commit_tax", order.order_id) for order in (before, after)
    ]


def _migrations_up_to(revision: str, folder: Path) -> str:
    """Return a folder with the migrations as they were when this one was the latest."""
    older = folder / "order_svc" / "migrations"
    (older / "versions").mkdir(parents=True)
    for script in (Path(MIGRATIONS) / "versions").glob("0*.py"):
        if script.name[:4] <= revision:
            shutil.copy(script, older / "versions")
    return str(older)


async def _columns(database_url: str) -> dict[str, set[str]]:
    """Return the columns of each table, as they are in the database."""

    def read(connection: Connection) -> dict[str, set[str]]:
        found = inspect(connection)
        return {name: {each["name"] for each in found.get_columns(name)} for name in found.get_table_names()}

    store = await open_store(database_url, metadata=METADATA)
    columns = await store.read(read)
    await store.close()
    return columns


async def _write_as_before(database_url: str, known: dict[str, set[str]], order: Order) -> None:
    """Write an order and a task that is due as the code did that knew no other columns than these."""
    columns = {**rows.fixed_columns(order), **rows.moving_columns(order), "lease_owner": None, "wake_at": None}
    task = Task(order.order_id, TaskKind.COMMIT_TAX)
    of_task = {
        **rows.task_columns(task, due_at=1),
        "task_id": rows.task_id(order.order_id, task.kind),
        "order_id": order.order_id,
        "kind": task.kind.value,
        "created_at": 1,
    }
    written = [(ORDERS, columns), *((ORDER_ITEMS, item) for item in rows.item_rows(order)), (ORDER_TASKS, of_task)]
    inserts = [
        Insert(table, {name: value for name, value in row.items() if name in known[table.name]})
        for table, row in written
    ]
    store = await open_store(database_url, metadata=METADATA)
    await store.commit(Change((), tuple(inserts)))
    await store.close()
