"""What every place for tax documents promises: the fake, SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis.storage import migrations
from chassis.storage.store import open_store
from tax_svc.__main__ import MIGRATIONS
from tax_svc.adapters.documents import StoredDocuments
from tax_svc.adapters.tables import METADATA
from tax_svc.app.ports import Documents, Earlier
from tests.fakes.manual_clock import ManualClock
from tests.fakes.tax_documents import FakeDocuments
from tests.fakes.tax_samples import document, order_id, use


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def documents(request: pytest.FixtureRequest) -> AsyncIterator[Documents]:
    if request.param == "fake":
        yield FakeDocuments()
        return
    url: str = request.getfixturevalue(f"{request.param}_url")
    await asyncio.to_thread(migrations.run, url, MIGRATIONS)
    store = await open_store(url, metadata=METADATA)
    yield StoredDocuments(store, ManualClock())
    await store.close()


async def test_of_an_unknown_key_and_order_nothing_is_known(documents: Documents) -> None:
    assert await documents.earlier(use(), order_id()) == Earlier(None, None)


async def test_a_document_is_found_by_its_key_and_by_its_order(documents: Documents) -> None:
    kept = document(order_id())
    assert await documents.add(use("key-1"), kept)

    assert await documents.earlier(use("key-1"), order_id()) == Earlier("f" * 64, kept)
    assert await documents.earlier(use("key-2"), kept.code) == Earlier(None, kept)


async def test_a_key_stands_for_one_document(documents: Documents) -> None:
    first, second = document(order_id()), document(order_id())
    assert await documents.add(use(), first)

    assert not await documents.add(use(), second)
    assert (await documents.earlier(use("key-2"), second.code)).document is None


async def test_an_order_has_one_document(documents: Documents) -> None:
    order = order_id()
    assert await documents.add(use("key-1"), document(order, 172))

    assert not await documents.add(use("key-2"), document(order, 999))
    assert await documents.earlier(use("key-2"), order) == Earlier(None, document(order, 172))


async def test_a_further_key_stands_for_the_same_document(documents: Documents) -> None:
    kept = document(order_id())
    await documents.add(use("key-1"), kept)

    assert await documents.add_key(use("key-2", "0" * 64), kept.code)
    assert not await documents.add_key(use("key-2", "1" * 64), kept.code)
    assert await documents.earlier(use("key-2"), order_id()) == Earlier("0" * 64, kept)


async def test_of_many_at_once_one_gets_in(documents: Documents) -> None:
    order = order_id()

    added = await asyncio.gather(*(documents.add(use(f"key-{n}"), document(order)) for n in range(20)))

    assert added.count(True) == 1
