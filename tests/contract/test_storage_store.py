"""What a store promises to one caller at a time, on both databases."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import JSON, Column, Connection, MetaData, Table, Text, func, insert, select

from chassis.storage.changes import (
    Absent,
    Change,
    Conflict,
    Delete,
    Expect,
    Insert,
    StatementRefused,
    StorageUnavailable,
    Update,
)
from chassis.storage.store import Store, database_now, open_store
from kernel.clock import SystemClock
from tests.fakes.storage_tables import (
    ACCOUNTS,
    ENTRIES,
    METADATA,
    REQUEST_KEYS,
    account,
    balances,
    entry,
    moved,
    opened,
)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    result = await open_store(database_url, metadata=METADATA)
    await result.transact(METADATA.create_all)
    yield result
    await result.close()


async def entry_lines(store: Store) -> list[int]:
    query = select(ENTRIES.c.line).order_by(ENTRIES.c.line)
    return await store.read(lambda connection: list(connection.scalars(query)))


def request_key(method: str, key: str) -> dict[str, object]:
    return {"caller": "shop", "method": method, "key": key}


async def test_a_committed_change_can_be_read_by_everybody(store: Store) -> None:
    await store.commit(Change((), (account("a", balance=7), entry("a", 1), entry("a", 2))))

    assert await balances(store) == {"a": 7}
    assert await entry_lines(store) == [1, 2]


async def test_parents_are_inserted_before_children_in_whatever_order_they_are_given(store: Store) -> None:
    await store.commit(Change((), (entry("a", 1), account("a"))))

    assert await entry_lines(store) == [1]


async def test_children_are_deleted_before_parents(store: Store) -> None:
    await store.commit(Change((), (account("a"), entry("a", 1))))

    await store.commit(Change((), (Delete(ACCOUNTS, {"id": "a"}), Delete(ENTRIES, {"account_id": "a", "line": 1}))))

    assert await balances(store) == {}


async def test_writes_to_one_row_keep_their_order(store: Store) -> None:
    key = {"id": "a"}

    await store.commit(
        Change(
            (),
            (
                account("a"),
                Update(ACCOUNTS, key, {"balance": 1, "version": 2}),
                Update(ACCOUNTS, key, {"balance": 2}),
                Delete(ACCOUNTS, key),
                account("a", balance=3),
                Update(ACCOUNTS, key, {"balance": 4}),
            ),
        )
    )

    assert await balances(store) == {"a": 4}


async def test_a_change_at_the_expected_version_is_written_and_a_stale_one_is_not(store: Store) -> None:
    await store.commit(opened("a"))

    await store.commit(moved("a", 1, 5))
    with pytest.raises(Conflict) as stale:
        await store.commit(moved("a", 1, 9))

    assert stale.value.guard == Expect(ACCOUNTS, "a", 1)
    assert await balances(store) == {"a": 5}


async def test_a_row_that_does_not_exist_has_no_version_that_can_be_expected(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.commit(moved("nobody", 1, 5))


async def test_a_change_whose_last_guard_fails_writes_nothing(store: Store) -> None:
    await store.commit(opened("a"))
    guards = (Absent(ACCOUNTS, {"id": "b"}), Expect(ACCOUNTS, "a", 2))

    with pytest.raises(Conflict) as conflict:
        await store.commit(Change(guards, (account("b"), entry("a", 1))))

    assert conflict.value.guard == guards[1]
    assert await balances(store) == {"a": 0}
    assert await entry_lines(store) == []


async def test_a_key_can_be_used_once(store: Store) -> None:
    await store.commit(opened("a"))
    guard = Absent(REQUEST_KEYS, request_key("Open", "1"))
    change = Change((guard,), (Insert(REQUEST_KEYS, {**request_key("Open", "1"), "account_id": "a"}),))
    await store.commit(change)

    with pytest.raises(Conflict) as used:
        await store.commit(change)

    assert used.value.guard == guard


async def test_a_key_of_several_columns_is_used_only_when_all_of_them_are_the_same(store: Store) -> None:
    for method, key in (("Open", "1"), ("Open", "2"), ("Close", "1")):
        await store.commit(
            Change(
                (Absent(REQUEST_KEYS, request_key(method, key)), Absent(ACCOUNTS, {"id": method + key})),
                (Insert(REQUEST_KEYS, {**request_key(method, key), "account_id": method + key}), account(method + key)),
            )
        )

    assert await balances(store) == {"Open1": 0, "Open2": 0, "Close1": 0}


async def test_a_unique_value_that_no_guard_names_is_a_conflict_too(store: Store) -> None:
    await store.commit(Change((), (account("a", email="a@example.com"),)))

    with pytest.raises(Conflict) as taken:
        await store.commit(Change((), (account("b", email="a@example.com"), entry("b", 1))))

    assert taken.value.guard is None
    assert await balances(store) == {"a": 0}


@pytest.mark.parametrize(
    "write",
    [
        entry("nobody", 1),
        Insert(ACCOUNTS, {"id": "private", "version": 1, "balance": None, "email": None, "closed": False}),
    ],
    ids=["no parent", "null"],
)
async def test_a_change_that_does_not_fit_the_tables_is_refused_without_telling_values(
    store: Store, write: Insert
) -> None:
    with pytest.raises(StatementRefused) as refused:
        await store.commit(Change((), (account("a"), write)))

    assert await balances(store) == {}
    told = "".join(traceback.format_exception(refused.value))
    assert "nobody" not in told
    assert "private" not in told


async def test_values_come_back_as_they_were_written(store: Store) -> None:
    row = {"id": "ä\N{SNOWMAN}'%s$1?", "version": 2**62, "balance": -(2**62), "email": None, "closed": True}

    await store.commit(Change((), (Insert(ACCOUNTS, {**row, "lease_until": 1}),)))
    await store.commit(
        Change((Expect(ACCOUNTS, str(row["id"]), 2**62),), (Update(ACCOUNTS, {"id": row["id"]}, {"closed": False}),))
    )

    found = await store.read(lambda connection: connection.execute(select(ACCOUNTS)).one())
    assert found._asdict() == {**row, "closed": False, "lease_until": 1}


async def test_values_of_types_that_sqlalchemy_converts_are_converted(database_url: str) -> None:
    metadata = MetaData()
    notes = Table("notes", metadata, Column("id", Text, primary_key=True), Column("body", JSON))
    async with AsyncExitStack() as stack:
        store = await open_store(database_url, metadata=metadata)
        stack.push_async_callback(store.close)
        await store.transact(metadata.create_all)

        await store.commit(Change((), (Insert(notes, {"id": "a", "body": {"seen": [1, None]}}),)))
        await store.commit(Change((), (Update(notes, {"id": "a"}, {"body": {"seen": []}}),)))

        assert await store.read(lambda connection: connection.scalar(select(notes.c.body))) == {"seen": []}


async def test_an_update_or_delete_of_a_row_that_is_not_there_changes_nothing(store: Store) -> None:
    await store.commit(Change((), (Update(ACCOUNTS, {"id": "x"}, {"balance": 1}), Delete(ACCOUNTS, {"id": "y"}))))

    assert await balances(store) == {}


async def test_a_transaction_with_a_body_is_committed_and_returns_its_result(store: Store) -> None:
    def body(connection: Connection) -> int:
        connection.execute(insert(ACCOUNTS), [dict(account("a").row), dict(account("b").row)])
        return connection.scalar(select(func.count()).select_from(ACCOUNTS)) or 0

    assert await store.transact(body) == 2
    assert await balances(store) == {"a": 0, "b": 0}


async def test_a_body_that_raises_is_rolled_back_and_its_error_is_told(store: Store) -> None:
    def body(connection: Connection) -> None:
        connection.execute(insert(ACCOUNTS), dict(account("a").row))
        raise LookupError("changed my mind")

    with pytest.raises(LookupError, match="changed my mind"):
        await store.transact(body)

    await store.commit(opened("b"))
    assert await balances(store) == {"b": 0}


async def test_a_body_that_takes_a_used_key_is_a_conflict(store: Store) -> None:
    await store.commit(opened("a"))

    with pytest.raises(Conflict):
        await store.transact(lambda connection: connection.execute(insert(ACCOUNTS), dict(account("a").row)))


async def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(StatementRefused):
        await store.read(lambda connection: connection.execute(insert(ACCOUNTS), dict(account("a").row)))

    assert await balances(store) == {}


async def test_a_read_that_raises_leaves_its_connection_fit_for_the_next(store: Store) -> None:
    def body(connection: Connection) -> None:
        connection.execute(select(ACCOUNTS)).all()
        raise LookupError("not what I looked for")

    for _ in range(8):  # more than there are connections
        with pytest.raises(LookupError):
            await store.read(body)

    await store.commit(opened("a"))
    assert await asyncio.gather(*(balances(store) for _ in range(8))) == [{"a": 0}] * 8


async def test_the_databases_clock_tells_milliseconds_since_1970(store: Store) -> None:
    now = await store.read(lambda connection: connection.execute(select(database_now())).scalar_one())

    assert isinstance(now, int)
    assert abs(now - SystemClock().now().timestamp() * 1000) < 60_000


async def test_a_store_that_closes_writes_what_is_queued_and_refuses_the_rest(database_url: str) -> None:
    store = await open_store(database_url, metadata=METADATA)
    await store.transact(METADATA.create_all)

    queued = [asyncio.ensure_future(store.commit(opened(key))) for key in "abc"]
    await asyncio.sleep(0)  # one turn of the loop: the commits are queued, none is written
    await store.close()
    with pytest.raises(StorageUnavailable):
        await store.commit(opened("d"))

    await asyncio.gather(*queued)
    again = await open_store(database_url, metadata=METADATA)
    assert await balances(again) == {"a": 0, "b": 0, "c": 0}
    await again.close()
