"""PostgreSQL's own promises: several replicas, connections that are lost at any moment, locks that others hold."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection, bindparam, make_url, select, text

from chassis.storage.batch import BatchWriter
from chassis.storage.changes import (
    Absent,
    Change,
    CommitUnknown,
    Conflict,
    Insert,
    StatementRefused,
    StorageUnavailable,
)
from chassis.storage.committer import Committer
from chassis.storage.lookup import Lookup
from chassis.storage.postgres import PostgresDatabase
from chassis.storage.store import Store, open_store
from kernel.clock import SystemClock
from tests.fakes.postgres_proxy import Fault, PostgresProxy
from tests.fakes.storage_tables import ACCOUNTS, METADATA, account, balances, moved, opened

pytestmark = pytest.mark.postgres

_SESSIONS_THAT_WAIT = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

_END_ALL_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@asynccontextmanager
async def replica(url: str) -> AsyncIterator[Store]:
    """Open a store, as a replica of the service does."""
    store = await open_store(url, metadata=METADATA)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def session(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect as somebody who is not a store."""
    parsed = make_url(url)
    connection = await asyncpg.connect(user="postgres", host=parsed.query["host"], database=parsed.database)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    async with replica(postgres_url) as result:
        await result.transact(METADATA.create_all)
        yield result


@pytest.fixture
async def proxy(postgres_url: str) -> PostgresProxy:
    return PostgresProxy(postgres_url)


async def test_of_many_replicas_that_use_one_key_exactly_one_writes(store: Store, postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(postgres_url)) for _ in range(3)]
        for number in range(20):
            results = await asyncio.gather(
                *(one.commit(opened(str(number), balance=at)) for at, one in enumerate(replicas)),
                return_exceptions=True,
            )

            assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "NoneType"]
            conflicts = [result for result in results if isinstance(result, Conflict)]
            assert [conflict.guard for conflict in conflicts] == [Absent(ACCOUNTS, {"id": str(number)})] * 2
            assert (await balances(store))[str(number)] == results.index(None)


async def test_no_update_is_lost_between_replicas_that_move_one_row(store: Store, postgres_url: str) -> None:
    await store.commit(opened("a"))
    query = select(ACCOUNTS.c.version, ACCOUNTS.c.balance)

    async def add_one(one: Store) -> None:
        while True:
            version, balance = await one.read(lambda connection: tuple(connection.execute(query).one()))
            try:
                await one.commit(moved("a", version, balance + 1))
            except Conflict:
                continue
            return

    async with replica(postgres_url) as other:
        await asyncio.gather(*(add_one(one) for one in (store, other) for _ in range(25)))

    assert await balances(store) == {"a": 50}


async def test_rows_are_locked_in_the_order_of_their_keys_so_that_replicas_do_not_deadlock(
    store: Store, postgres_url: str
) -> None:
    add = "INSERT INTO accounts (id, version, balance, closed) VALUES ($1, 1, 0, false)"

    async with session(postgres_url) as somebody, somebody.transaction():
        await somebody.execute(add, "a")
        writing = asyncio.gather(store.commit(opened("b")), store.commit(opened("a")), return_exceptions=True)
        while not await somebody.fetchval(_SESSIONS_THAT_WAIT):
            pass
        await somebody.execute(add, "b")  # the store waits for "a" and has not touched "b" yet

    assert [type(result) for result in await writing] == [Conflict, Conflict]


async def test_a_connection_that_was_lost_while_idle_costs_nobody_a_commit_or_a_read(
    store: Store, postgres_url: str
) -> None:
    await store.commit(opened("a"))
    await asyncio.gather(*(balances(store) for _ in range(8)))

    async with session(postgres_url) as somebody:
        await somebody.execute(_END_ALL_OTHERS)
    await store.commit(opened("b"))

    assert await balances(store) == {"a": 0, "b": 0}


async def test_a_connection_that_was_lost_while_idle_costs_nobody_a_lookup(store: Store, postgres_url: str) -> None:
    balance = Lookup(select(ACCOUNTS.c.balance).where(ACCOUNTS.c.id == bindparam("wanted")))
    await store.commit(opened("a"))
    await asyncio.gather(*(store.find(balance, {"wanted": "a"}) for _ in range(8)))

    async with session(postgres_url) as somebody:
        await somebody.execute(_END_ALL_OTHERS)

    found = await asyncio.gather(*(store.find(balance, {"wanted": "a"}) for _ in range(8)))
    assert [each.balance for each in found] == [0] * 8


async def test_a_connection_that_is_lost_in_a_transaction_leaves_nothing_written(store: Store) -> None:
    attempts = 0

    def end_itself(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        connection.execute(ACCOUNTS.insert(), dict(account("a").row))
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(StorageUnavailable):
        await store.transact(end_itself)

    assert attempts == 4  # it was certainly not written, so it was tried again before anybody was told
    await store.commit(opened("b"))
    assert await balances(store) == {"b": 0}


@pytest.mark.parametrize(
    ("fault", "written"), [(Fault.CUT_BEFORE_COMMIT, {}), (Fault.CUT_AFTER_COMMIT, {"a": 1, "b": 2})]
)
async def test_a_connection_that_is_lost_around_commit_leaves_the_outcome_to_be_read(
    store: Store, proxy: PostgresProxy, fault: Fault, written: dict[str, int]
) -> None:
    async with proxy.running() as url, replica(url) as remote:
        await remote.transact(lambda connection: connection.scalar(select(1)))
        proxy.fault = fault

        results = await asyncio.gather(
            remote.commit(opened("a", balance=1)), remote.commit(opened("b", balance=2)), return_exceptions=True
        )
        assert [type(result) for result in results] == [CommitUnknown] * 2
        assert await balances(remote) == written

        await remote.commit(opened("c", balance=3))
        assert await balances(store) == {**written, "c": 3}


@pytest.mark.usefixtures("store")
async def test_a_network_that_falls_silent_is_noticed(proxy: PostgresProxy) -> None:
    async with proxy.running() as url:
        database = PostgresDatabase(make_url(f"{url}?command_timeout=0.3"))
        remote = Store(database, Committer(database, BatchWriter(METADATA, database.dialect), SystemClock()))
        await remote.commit(opened("a"))
        assert await balances(remote) == {"a": 0}

        proxy.silence()
        with pytest.raises(StorageUnavailable):
            await remote.commit(opened("b"))
        with pytest.raises(StorageUnavailable):
            await balances(remote)

        proxy.heal()
        await remote.commit(opened("c"))
        assert await balances(remote) == {"a": 0, "c": 0}
        await remote.close()


async def test_a_row_that_somebody_else_keeps_locked_holds_up_only_its_own_change(
    store: Store, postgres_url: str
) -> None:
    await store.commit(opened("a"))
    await store.transact(lambda connection: connection.execute(text("SET lock_timeout = '200ms'")))

    async with session(postgres_url) as somebody, somebody.transaction():
        await somebody.execute("SELECT * FROM accounts FOR UPDATE")
        results = await asyncio.gather(
            store.commit(opened("b")), store.commit(moved("a", 1, 5)), store.commit(opened("c")), return_exceptions=True
        )
        assert await balances(store) == {"a": 0, "b": 0, "c": 0}

    assert (results[0], results[2]) == (None, None)
    assert isinstance(results[1], StorageUnavailable)
    await store.commit(moved("a", 1, 5))
    assert (await balances(store))["a"] == 5


async def test_reads_do_not_wait_for_the_writer(store: Store, postgres_url: str) -> None:
    await store.commit(opened("a"))

    async with session(postgres_url) as somebody, somebody.transaction():
        await somebody.execute("SELECT * FROM accounts FOR UPDATE")
        writing = asyncio.ensure_future(store.commit(moved("a", 1, 5)))
        seen = await balances(store)
        waited = not writing.done()

    await writing
    assert (seen, waited) == ({"a": 0}, True)


async def test_all_statements_of_a_read_see_one_snapshot(store: Store, postgres_url: str) -> None:
    await store.commit(opened("a"))
    query = select(ACCOUNTS.c.balance)

    def read_twice(connection: Connection) -> list[int | None]:
        before = connection.scalar(query)
        # The body holds the loop, so the other replica needs one of its own.
        other = threading.Thread(target=lambda: asyncio.run(move_elsewhere()))
        other.start()
        other.join(30)
        return [before, connection.scalar(query)]

    async def move_elsewhere() -> None:
        async with replica(postgres_url) as one:
            await one.commit(moved("a", 1, 5))

    assert await store.read(read_twice) == [0, 0]
    assert await balances(store) == {"a": 5}


async def test_a_connection_that_is_lost_after_the_last_statement_of_a_read_does_not_spoil_it(
    store: Store, postgres_url: str
) -> None:
    await store.commit(opened("a", balance=7))
    query = select(ACCOUNTS.c.balance)

    def read_and_lose_it(connection: Connection) -> int | None:
        balance = connection.scalar(query)
        # The body holds the loop, so whoever ends the session needs one of its own.
        other = threading.Thread(target=lambda: asyncio.run(end_sessions()))
        other.start()
        other.join(30)
        return balance

    async def end_sessions() -> None:
        async with session(postgres_url) as somebody:
            await somebody.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    for _ in range(8):  # more often than there are readers: none may be lost for good
        assert await store.read(read_and_lose_it) == 7


async def test_a_cancelled_read_costs_no_connection(store: Store, postgres_url: str) -> None:
    await asyncio.gather(*(balances(store) for _ in range(8)))
    pids = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE datname = current_database()"

    async with session(postgres_url) as somebody:
        before = await somebody.fetchval(pids)
        async with somebody.transaction():
            await somebody.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
            reading = asyncio.ensure_future(balances(store))
            while not await somebody.fetchval(_SESSIONS_THAT_WAIT):
                pass
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await balances(store)

        assert reading.cancelled()
        assert await somebody.fetchval(pids) == before


async def test_a_value_of_the_wrong_type_is_refused_without_telling_it(store: Store) -> None:
    bad = Change((), (Insert(ACCOUNTS, {**account("z").row, "balance": "private"}),))

    results = await asyncio.gather(store.commit(opened("a")), store.commit(bad), return_exceptions=True)

    assert results[0] is None
    assert isinstance(results[1], StatementRefused)
    assert "private" not in str(results[1])


async def test_a_server_that_is_away_makes_the_store_unavailable_and_says_why(
    tmp_path: Path, postgres_url: str
) -> None:
    away = f"postgresql://postgres@/orders?host={tmp_path}"
    unknown = str(make_url(postgres_url).set(database="nowhere"))

    for url, reason in ((away, "FileNotFoundError"), (unknown, "3D000")):
        async with replica(url) as store:
            with pytest.raises(StorageUnavailable, match=reason):
                await store.commit(opened("a"))
            with pytest.raises(StorageUnavailable, match=reason):
                await balances(store)


async def test_a_url_may_say_sslmode_as_other_clients_do(store: Store, proxy: PostgresProxy) -> None:
    async with proxy.running() as url, replica(f"{url}?sslmode=disable") as remote:
        await remote.commit(opened("a"))

    assert await balances(store) == {"a": 0}


async def test_what_was_acknowledged_before_a_kill_is_there_after_it(postgres_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.fakes.committing_process", postgres_url),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    for _ in range(200):
        assert await process.stdout.readline()

    process.kill()
    acknowledged = (await process.stdout.read()).decode().split("\n")[:-1]
    await process.wait()

    async with replica(postgres_url) as store:
        assert set(acknowledged) <= set(await balances(store))
