"""API keys in the gateway's own table, on both databases."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from gateway.access.api_keys import ApiKey, new_key
from gateway.access.key_table import MIGRATIONS, KeyTable, TooManyKeys
from tests.fakes.migrated import MakeDatabase

# To the millisecond, as the table keeps it.
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SCOPES = frozenset({"orders.read", "orders.refund"})


@pytest.fixture
def table(database_kind: str, make_database: MakeDatabase) -> KeyTable:
    return KeyTable(make_database(database_kind, MIGRATIONS))


def a_key(name: str = "shop", *, created: datetime = NOW, expires: datetime | None = None) -> ApiKey:
    return new_key(name, SCOPES, created, expires, secrets.token_bytes)[1]


async def test_where_no_key_was_ever_made_there_is_none(database_url: str) -> None:
    assert await KeyTable(database_url).every() == []


async def test_the_table_is_made_once(database_url: str) -> None:
    table = KeyTable(database_url)
    await asyncio.to_thread(table.prepare)
    await table.add(a_key())
    await asyncio.to_thread(table.prepare)

    assert len(await table.every()) == 1


async def test_a_key_is_read_as_it_was_made(table: KeyTable) -> None:
    older, younger = a_key(expires=LATER), a_key("other", created=LATER)
    for key in (younger, older):
        await table.add(key)

    assert await table.every() == [older, younger]


async def test_of_three_keys_of_one_name_that_are_made_at_once_two_are_kept(table: KeyTable) -> None:
    made = await asyncio.gather(*(table.add(a_key()) for _ in range(3)), return_exceptions=True)

    assert [type(each) for each in made if each is not None] == [TooManyKeys]
    assert len(await table.every()) == 2


async def test_a_key_that_has_lapsed_leaves_its_place_to_another(table: KeyTable) -> None:
    for key in (a_key(expires=LATER), a_key()):
        await table.add(key)
    with pytest.raises(TooManyKeys):
        await table.add(a_key())

    await table.add(a_key(created=LATER))


async def test_keys_are_revoked_by_id_or_by_name_and_once(table: KeyTable) -> None:
    one, two, other = a_key(), a_key(created=LATER), a_key("other")
    for key in (one, two, other):
        await table.add(key)

    assert await table.revoke(one.key_id, NOW) == [one.key_id]
    assert await table.revoke("shop", LATER) == [two.key_id]
    assert await table.revoke("shop", LATER) == []
    found = {key.key_id: key.revoked_at for key in await table.every()}
    assert found == {one.key_id: NOW, two.key_id: LATER, other.key_id: None}
    await table.add(a_key())


async def test_when_a_key_was_used_is_noted_with_it_alone(table: KeyTable) -> None:
    used, idle = a_key(), a_key("other")
    for key in (used, idle):
        await table.add(key)
    await table.used([used.key_id], LATER)

    assert {key.key_id: key.last_used_at for key in await table.every()} == {used.key_id: LATER, idle.key_id: None}
