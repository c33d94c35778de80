"""SQLite's own promises: one process per file, a disk that fills up or fails, readers beside the writer, privacy."""

import asyncio
import os
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from chassis.storage.changes import Change, CommitUnknown, Insert, StorageUnavailable
from chassis.storage.ownership import AlreadyOwned
from chassis.storage.store import Store, open_store
from tests.fakes.storage_tables import ACCOUNTS, METADATA, balances, moved, opened

# Opens a store, says so, and keeps it until its input ends or it is killed.
_OWNER = """
import asyncio, sys
from chassis.storage.store import open_store
from tests.fakes.storage_tables import METADATA

async def main():
    store = await open_store(sys.argv[1], metadata=METADATA)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.close()

asyncio.run(main())
"""


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    result = await open_store(sqlite_url, metadata=METADATA)
    await result.transact(METADATA.create_all)
    yield result
    await result.close()


def owner(url: str) -> subprocess.Popen[str]:
    """Start a process that opens a store."""
    return subprocess.Popen(
        [sys.executable, "-c", _OWNER, url],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.usefixtures("store")
async def test_a_second_process_is_refused_and_told_who_has_the_file(sqlite_url: str) -> None:
    second = owner(sqlite_url)
    _, complaint = await asyncio.to_thread(second.communicate)

    assert second.returncode != 0
    assert f"test.db is in use by process {os.getpid()}." in complaint
    assert "AlreadyOwned" in complaint


async def test_a_file_is_free_again_when_its_process_is_killed(sqlite_url: str) -> None:
    first = owner(sqlite_url)
    assert first.stdout is not None
    assert await asyncio.to_thread(first.stdout.readline) == "open\n"
    with pytest.raises(AlreadyOwned, match=f"in use by process {first.pid}"):
        await open_store(sqlite_url, metadata=METADATA)

    first.kill()
    await asyncio.to_thread(first.communicate)

    await (await open_store(sqlite_url, metadata=METADATA)).close()


async def test_a_second_store_of_the_same_process_is_refused_until_the_first_closes(sqlite_url: str) -> None:
    first = await open_store(sqlite_url, metadata=METADATA)
    with pytest.raises(AlreadyOwned, match=r"\(this one\)"):
        await open_store(sqlite_url, metadata=METADATA)

    await first.close()

    await (await open_store(sqlite_url, metadata=METADATA)).close()


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    directory = tmp_path / "made" / "here"
    store = await open_store(f"sqlite:///{directory}/a.db", metadata=METADATA)
    await store.transact(METADATA.create_all)
    await store.commit(opened("a"))

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (directory, *directory.iterdir())}

    assert modes == {"here": 0o700, "a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600, "a.db.owner": 0o600}
    await store.close()


async def test_every_commit_waits_for_the_disk(store: Store) -> None:
    def settings(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await store.transact(settings) == ["wal", 2, 1]  # 2 is FULL


async def test_a_full_disk_makes_commits_unavailable_and_reads_go_on_and_room_mends_it(store: Store) -> None:
    await store.commit(opened("a"))
    big = {"id": "big", "version": 1, "balance": 0, "email": "x" * 500_000, "closed": False}
    pages = await store.transact(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
    await store.transact(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar())

    results = await asyncio.gather(
        store.commit(Change((), (Insert(ACCOUNTS, big),))), store.commit(moved("a", 1, 5)), return_exceptions=True
    )
    assert [type(result) for result in results] == [StorageUnavailable] * 2
    assert await balances(store) == {"a": 0}

    await store.transact(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000").scalar())
    await store.commit(Change((), (Insert(ACCOUNTS, big),)))
    assert await balances(store) == {"a": 0, "big": 0}
    assert not store.failed.is_set()


async def test_a_disk_that_fails_under_a_commit_ends_the_process_and_starting_again_settles_it(
    store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    await store.commit(opened("a"))
    allowed, most = resource.getrlimit(resource.RLIMIT_FSIZE)

    # A write beyond the limit fails as on a bad disk, and not as on a full one.
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "test.db-wal").stat().st_size, most))
    try:
        with pytest.raises(CommitUnknown):
            await store.commit(opened("b"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, most))

    assert store.failed.is_set()
    with pytest.raises(StorageUnavailable, match="start again"):
        await store.commit(opened("c"))
    await store.close()
    again = await open_store(sqlite_url, metadata=METADATA)
    assert await balances(again) == {"a": 0}
    await again.close()


async def test_a_write_transaction_keeps_other_writers_out_from_its_start(store: Store, tmp_path: Path) -> None:
    def somebody_writes(_: Connection) -> None:
        with closing(sqlite3.connect(tmp_path / "test.db", timeout=0)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageUnavailable, match="locked"):
        await store.transact(somebody_writes)


async def test_reads_do_not_wait_for_a_write_transaction_and_do_not_see_into_it(store: Store) -> None:
    await store.commit(opened("a"))
    written, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        connection.execute(ACCOUNTS.update().values(balance=99))
        written.set()
        go_on.wait(30)

    writing = asyncio.ensure_future(store.transact(slow))
    await asyncio.to_thread(written.wait, 30)
    seen = await balances(store)
    go_on.set()
    await writing

    assert seen == {"a": 0}
    assert await balances(store) == {"a": 99}


async def test_all_statements_of_a_read_see_one_snapshot(store: Store) -> None:
    await store.commit(opened("a"))
    loop = asyncio.get_running_loop()
    query = select(ACCOUNTS.c.balance)

    def read_twice(connection: Connection) -> list[int | None]:
        before = connection.scalar(query)
        asyncio.run_coroutine_threadsafe(store.commit(moved("a", 1, 5)), loop).result(30)
        return [before, connection.scalar(query)]

    assert await store.read(read_twice) == [0, 0]
    assert await balances(store) == {"a": 5}


async def test_guards_find_their_rows_by_index(store: Store) -> None:
    await store.commit(opened("a"))
    await store.commit(moved("a", 1, 5))
    guards = store._committer._writer._guards

    for sql in (*guards._versions.values(), *guards._taken.values()):
        plan = await store.read(
            lambda connection, sql=sql: [  # type: ignore[misc]
                row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", ("[]",))
            ]
        )
        assert any(step.startswith("SEARCH accounts USING") for step in plan), plan
        assert not any(step.startswith("SCAN accounts") for step in plan), plan


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://root@localhost/orders"])
async def test_a_url_that_cannot_hold_orders_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:////"):
        await open_store(url, metadata=METADATA)


async def test_what_was_acknowledged_before_a_kill_is_there_after_it(sqlite_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.fakes.committing_process", sqlite_url),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    for _ in range(200):
        assert await process.stdout.readline()

    process.kill()
    acknowledged = (await process.stdout.read()).decode().split("\n")[:-1]
    await process.wait()

    store = await open_store(sqlite_url, metadata=METADATA)
    assert set(acknowledged) <= set(await balances(store))
    check = await store.read(lambda connection: connection.exec_driver_sql("PRAGMA integrity_check").scalar())
    assert check == "ok"
    await store.close()
