"""What every place for tax documents promises: the fake, SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from chassis.storage.store import open_store
from tax_svc.__main__ import MIGRATIONS
from tax_svc.adapters.documents import StoredDocuments
from tax_svc.adapters.tables import METADATA
from tax_svc.app.ports import Command, Documents, Earlier, Listed
from tax_svc.domain.document import Document, DocumentState
from tests.fakes.manual_clock import ManualClock
from tests.fakes.migrated import MakeDatabase
from tests.fakes.tax_documents import FakeDocuments
from tests.fakes.tax_samples import document, order_id, use


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def documents(request: pytest.FixtureRequest, make_database: MakeDatabase) -> AsyncIterator[Documents]:
    if request.param == "fake":
        yield FakeDocuments()
        return
    store = await open_store(make_database(request.param, MIGRATIONS), metadata=METADATA)
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


async def test_keys_of_two_commands_never_meet(documents: Documents) -> None:
    kept = document(order_id())
    await documents.add(use("key-1"), kept)

    assert (await documents.earlier(use("key-1", command=Command.VOID), order_id())).fingerprint is None
    assert await documents.add_key(use("key-1", command=Command.VOID), kept.code)


async def test_a_key_may_stand_for_a_document_that_is_not_there(documents: Documents) -> None:
    order = order_id()
    assert await documents.add_key(use(), order)

    assert await documents.earlier(use(), order) == Earlier("f" * 64, None)


async def test_a_void_changes_the_state_and_nothing_else(documents: Documents) -> None:
    kept = document(order_id())
    await documents.add(use("key-1"), kept)

    assert await documents.void(use("key-2", command=Command.VOID), kept.code)
    assert not await documents.void(use("key-2", command=Command.VOID), kept.code)

    voided = replace(kept, state=DocumentState.VOIDED)
    assert await documents.earlier(use("key-2", command=Command.VOID), "") == Earlier("f" * 64, voided)
    assert await documents.earlier(use("key-1"), "") == Earlier("f" * 64, voided)


async def test_an_order_has_its_sale_and_its_returns(documents: Documents) -> None:
    order, other = order_id(), order_id()
    sale, first = document(order), document(f"{order}-r1", -80, -80, order=order)
    longest = document(f"{order}-{'x' * 13}", -1, 0, order=order)
    for number, each in enumerate((sale, first, longest, document(other))):
        assert await documents.add(use(f"key-{number}"), each)

    assert sorted(await documents.of_order(order), key=lambda each: each.code) == [sale, first, longest]
    assert list(await documents.of_order(order_id())) == []


async def test_documents_are_listed_newest_first_and_each_once(documents: Documents) -> None:
    orders = sorted(order_id() for _ in range(5))
    # Two of one moment, told apart by their codes.
    kept = [document(order, minutes=minutes) for order, minutes in zip(orders, (3, 1, 2, 2, 0), strict=True)]
    for number, each in enumerate(kept):
        await documents.add(use(f"key-{number}"), each)
    newest_first = [kept[place] for place in (0, 3, 2, 1, 4)]

    assert list(await documents.listed(Listed("", differing=False, after=None, limit=100))) == newest_first
    shown: list[Document] = []
    while page := await documents.listed(
        Listed("", differing=False, after=(shown[-1].created_at, shown[-1].code) if shown else None, limit=2)
    ):
        assert len(page) <= 2
        shown += page
    assert shown == newest_first


async def test_lists_are_cut_down_to_an_order_or_to_what_differs(documents: Documents) -> None:
    order, other = order_id(), order_id()
    back = document(f"{order}-r1", -80, -80, order=order, minutes=1)
    for number, each in enumerate((document(order, 160), back, document(other, 172, minutes=2))):
        await documents.add(use(f"key-{number}"), each)

    async def codes(order_id: str, *, differing: bool) -> list[str]:
        found = await documents.listed(Listed(order_id, differing=differing, after=None, limit=10))
        return [each.code for each in found]

    assert await codes("", differing=False) == [other, back.code, order]
    assert await codes(order, differing=False) == [back.code, order]
    assert await codes("", differing=True) == [other]
    assert await codes(order, differing=True) == []
