"""What a store promises, on both databases."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from chassis.storage.changes import Change, Conflict, Expect, Insert, Update
from chassis.storage.store import Store, open_store
from tests.fakes.storage_tables import ACCOUNTS, ENTRIES, METADATA


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    result = await open_store(database_url, metadata=METADATA)
    await result.transact(METADATA.create_all)
    yield result
    await result.close()


def account(key: str, *, version: int = 1, balance: int = 0, email: str | None = None) -> Insert:
    row = {"id": key, "version": version, "balance": balance, "email": email, "closed": False}
    return Insert(ACCOUNTS, row)


def entry(key: str, line: int, amount: int = 1) -> Insert:
    return Insert(ENTRIES, {"account_id": key, "line": line, "amount": amount})


async def balance(store: Store, key: str) -> int | None:
    return await store.read(lambda c: c.scalar(select(ACCOUNTS.c.balance).where(ACCOUNTS.c.id == key)))


def deposit(key: str, version: int, total: int) -> Change:
    return Change(
        (Expect(ACCOUNTS, key, version),), (Update(ACCOUNTS, {"id": key}, {"version": version + 1, "balance": total}),)
    )


async def test_a_committed_change_can_be_read(store: Store) -> None:
    await store.commit(Change((), (entry("a", 1), entry("a", 2), account("a", balance=7))))

    assert await balance(store, "a") == 7
    assert await store.read(lambda c: c.scalar(select(func.count()).select_from(ENTRIES))) == 2


async def test_a_change_at_the_right_version_is_written_and_a_stale_one_is_not(store: Store) -> None:
    await store.commit(Change((), (account("a"),)))

    await store.commit(deposit("a", 1, 5))
    with pytest.raises(Conflict) as stale:
        await store.commit(deposit("a", 1, 9))

    assert stale.value.guard == Expect(ACCOUNTS, "a", 1)
    assert await balance(store, "a") == 5
