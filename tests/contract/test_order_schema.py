"""The migrations of the order service make exactly the tables that its store works with."""

import asyncio
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from chassis.storage import migrations
from chassis.storage.store import open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters.tables import METADATA


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
