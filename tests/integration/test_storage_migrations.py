"""Migrations: up, again, from several replicas at once, beside another service's."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from chassis.storage import migrations
from chassis.storage.changes import StatementRefused, StorageUnavailable
from chassis.storage.ownership import AlreadyOwned
from chassis.storage.store import open_store
from tests.fakes.postgres_proxy import Fault, PostgresProxy
from tests.fakes.storage_tables import METADATA
from tests.scale.shelf import execute

_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {previous!r}


def upgrade() -> None:
    {body}
"""
_CREATE_NAMED = 'op.create_table("teas", sa.Column("id", sa.Text, primary_key=True), sa.Column("name", sa.Text))'
_BIG_INDEX_ONLY = """from chassis.storage.big_index import create_big_index
    create_big_index("teas_by_name", "teas", ["name"])"""
_BIG_INDEX = f"""op.add_column("teas", sa.Column("name", sa.Text))
    {_BIG_INDEX_ONLY}"""
_CREATE = 'op.create_table("{name}", sa.Column("id", sa.Text, primary_key=True))'


def write_revision(service: Path, number: str, previous: str | None, body: str) -> str:
    """Write one revision of a service; returns its script location."""
    versions = service / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (versions / f"{number}.py").write_text(_REVISION.format(number=number, previous=previous, body=body))
    return str(service / "migrations")


async def tables(url: str) -> set[str]:
    store = await open_store(url, metadata=METADATA)
    try:
        return await store.read(lambda connection: set(inspect(connection).get_table_names()))
    finally:
        await store.close()


async def indexes(url: str) -> set[str]:
    store = await open_store(url, metadata=METADATA)
    try:
        return await store.read(
            lambda connection: {str(each["name"]) for each in inspect(connection).get_indexes("teas")}
        )
    finally:
        await store.close()


async def test_an_empty_database_is_brought_to_the_newest_version_and_stays_there(
    database_url: str, tmp_path: Path
) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, _CREATE.format(name="teas"))
    assert not await asyncio.to_thread(migrations.is_current, database_url, location)

    await asyncio.to_thread(migrations.run, database_url, location)
    await asyncio.to_thread(migrations.run, database_url, location)

    assert await asyncio.to_thread(migrations.is_current, database_url, location)
    assert await tables(database_url) == {"teas", "tea_svc_version"}


async def test_a_later_revision_makes_a_database_outdated_until_it_runs(database_url: str, tmp_path: Path) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, _CREATE.format(name="teas"))
    await asyncio.to_thread(migrations.run, database_url, location)

    write_revision(tmp_path / "tea_svc", "2", "1", _CREATE.format(name="cups"))
    assert not await asyncio.to_thread(migrations.is_current, database_url, location)
    await asyncio.to_thread(migrations.run, database_url, location)

    assert await asyncio.to_thread(migrations.is_current, database_url, location)
    assert {"teas", "cups"} <= await tables(database_url)


async def test_each_step_is_told_before_it_is_made(database_url: str, tmp_path: Path) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, _CREATE.format(name="teas"))
    told: list[tuple[str, int, int | None]] = []

    def tell(what: str, done: int, of: int | None) -> None:
        told.append((what, done, of))

    await asyncio.to_thread(migrations.run, database_url, location, told=tell)
    write_revision(tmp_path / "tea_svc", "2", "1", _CREATE.format(name="cups"))
    write_revision(tmp_path / "tea_svc", "3", "2", _CREATE.format(name="pots"))
    await asyncio.to_thread(migrations.run, database_url, location, told=tell)
    await asyncio.to_thread(migrations.run, database_url, location, told=tell)

    assert told == [("to version 1", 0, 1), ("to version 2", 0, 2), ("to version 3", 1, 2)]


async def test_a_revision_that_fails_leaves_nothing_behind(database_url: str, tmp_path: Path) -> None:
    body = _CREATE.format(name="teas") + '; op.execute("INSERT INTO nowhere VALUES (1)")'
    location = write_revision(tmp_path / "tea_svc", "1", None, body)

    with pytest.raises(SQLAlchemyError):
        await asyncio.to_thread(migrations.run, database_url, location)

    assert not await asyncio.to_thread(migrations.is_current, database_url, location)
    assert "teas" not in await tables(database_url)


@pytest.mark.postgres
async def test_services_and_replicas_migrate_one_shared_database_at_the_same_time(
    postgres_url: str, tmp_path: Path
) -> None:
    tea = write_revision(tmp_path / "tea_svc", "1", None, _CREATE.format(name="teas"))
    cup = write_revision(tmp_path / "cup_svc", "1", None, _CREATE.format(name="cups"))

    await asyncio.gather(*(asyncio.to_thread(migrations.run, postgres_url, at) for at in (tea, cup, tea, cup)))

    assert {"teas", "cups"} <= await tables(postgres_url)


@pytest.mark.postgres
async def test_replicas_that_start_at_once_build_one_index_beside_live_traffic(
    postgres_url: str, tmp_path: Path
) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, _CREATE.format(name="teas"))
    await asyncio.to_thread(migrations.run, postgres_url, location)
    write_revision(tmp_path / "tea_svc", "2", "1", _BIG_INDEX)

    await asyncio.gather(*(asyncio.to_thread(migrations.run, postgres_url, location) for _ in range(3)))

    assert await indexes(postgres_url) >= {"teas_by_name"}
    assert await asyncio.to_thread(migrations.is_current, postgres_url, location)


@pytest.mark.postgres
async def test_an_index_that_was_left_half_built_is_built_anew(postgres_url: str, tmp_path: Path) -> None:
    broken = "CREATE UNIQUE INDEX CONCURRENTLY teas_by_name ON teas (name)"
    double = _CREATE_NAMED + "; op.execute(\"INSERT INTO teas VALUES ('1', 'x'), ('2', 'x')\")"
    location = write_revision(tmp_path / "tea_svc", "1", None, double)
    await asyncio.to_thread(migrations.run, postgres_url, location)
    with pytest.raises(asyncpg.UniqueViolationError):
        await execute(postgres_url, broken)
    write_revision(tmp_path / "tea_svc", "2", "1", _BIG_INDEX_ONLY)

    await asyncio.to_thread(migrations.run, postgres_url, location)

    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'teas_by_name'::regclass"
    assert await execute(postgres_url, valid) == [[(True,)]]


async def test_code_leaves_tables_of_a_later_release_as_they_are(database_url: str, tmp_path: Path) -> None:
    later = write_revision(tmp_path / "later" / "tea_svc", "1", None, _CREATE.format(name="teas"))
    write_revision(tmp_path / "later" / "tea_svc", "2", "1", _CREATE.format(name="cups"))
    earlier = write_revision(tmp_path / "earlier" / "tea_svc", "1", None, _CREATE.format(name="teas"))
    await asyncio.to_thread(migrations.run, database_url, later)

    await asyncio.to_thread(migrations.run, database_url, earlier)

    assert await asyncio.to_thread(migrations.is_current, database_url, earlier)
    assert await asyncio.to_thread(migrations.is_current, database_url, later)
    assert {"teas", "cups"} <= await tables(database_url)


async def test_a_file_that_a_store_has_open_is_not_migrated(sqlite_url: str, tmp_path: Path) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, _CREATE.format(name="teas"))
    store = await open_store(sqlite_url, metadata=METADATA)

    with pytest.raises(AlreadyOwned):
        await asyncio.to_thread(migrations.run, sqlite_url, location)

    await store.close()


async def test_a_sqlite_table_with_children_can_be_rebuilt(sqlite_url: str, tmp_path: Path) -> None:
    create = (
        'op.execute("CREATE TABLE teas (id TEXT PRIMARY KEY, old TEXT)"); '
        'op.execute("CREATE TABLE sips (tea TEXT REFERENCES teas ON DELETE CASCADE)"); '
        "op.execute(\"INSERT INTO teas VALUES ('t', 'x')\"); op.execute(\"INSERT INTO sips VALUES ('t')\")"
    )
    rebuild = 'with op.batch_alter_table("teas", recreate="always") as table: table.drop_column("old")'
    location = write_revision(tmp_path / "tea_svc", "1", None, create)
    write_revision(tmp_path / "tea_svc", "2", "1", rebuild)

    await asyncio.to_thread(migrations.run, sqlite_url, location)

    def sips(connection: Connection) -> int:
        return len(connection.exec_driver_sql("SELECT * FROM sips").all())

    store = await open_store(sqlite_url, metadata=METADATA)
    assert await store.read(sips) == 1
    await store.close()


async def test_rows_without_their_parent_undo_a_sqlite_migration(sqlite_url: str, tmp_path: Path) -> None:
    body = (
        'op.execute("CREATE TABLE teas (id TEXT PRIMARY KEY)"); '
        'op.execute("CREATE TABLE sips (tea TEXT REFERENCES teas)"); op.execute("INSERT INTO sips VALUES (\'gone\')")'
    )
    location = write_revision(tmp_path / "tea_svc", "1", None, body)

    with pytest.raises(migrations.MigrationFailed, match="sips"):
        await asyncio.to_thread(migrations.run, sqlite_url, location)

    assert "sips" not in await tables(sqlite_url)


async def test_a_store_on_tables_that_were_never_made_says_so(database_url: str) -> None:
    store = await open_store(database_url, metadata=METADATA)

    with pytest.raises(StatementRefused):
        await store.read(lambda connection: connection.exec_driver_sql("SELECT * FROM accounts").all())

    await store.close()


@pytest.mark.postgres
@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE_COMMIT, Fault.CUT_AFTER_COMMIT])
async def test_a_database_that_is_lost_around_commit_is_migrated_by_running_again(
    postgres_url: str, tmp_path: Path, fault: Fault
) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, _CREATE.format(name="teas"))
    proxy = PostgresProxy(postgres_url)
    async with proxy.running() as url:
        proxy.fault = fault
        with pytest.raises(StorageUnavailable, match="starting again settles it"):
            await asyncio.to_thread(migrations.run, url, location)
        await asyncio.to_thread(migrations.run, url, location)

    assert await tables(postgres_url) == {"teas", "tea_svc_version"}


@pytest.mark.postgres
async def test_a_database_that_is_silent_from_the_start_ends_a_migration(postgres_url: str, tmp_path: Path) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, _CREATE.format(name="teas"))
    proxy = PostgresProxy(postgres_url)
    async with proxy.running() as url:
        proxy.silence()

        with pytest.raises(StorageUnavailable, match="does not answer"):
            await asyncio.to_thread(migrations.run, url, location)


@pytest.mark.postgres
async def test_a_database_that_falls_silent_ends_a_migration(postgres_url: str, tmp_path: Path) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, 'op.execute("SELECT pg_sleep(600)")')
    proxy = PostgresProxy(postgres_url)
    async with proxy.running() as url:
        running = asyncio.create_task(asyncio.to_thread(migrations.run, url, location, silence_seconds=0.4))
        await sleeping(postgres_url)

        proxy.silence()

        with pytest.raises(StorageUnavailable, match=r"has not answered for 0\.4 s"):
            await running


@pytest.mark.postgres
async def test_a_migration_may_take_longer_than_the_silence_that_would_end_it(
    postgres_url: str, tmp_path: Path
) -> None:
    location = write_revision(tmp_path / "tea_svc", "1", None, 'op.execute("SELECT pg_sleep(1.5)")')

    await asyncio.to_thread(migrations.run, postgres_url, location, silence_seconds=0.4)

    assert await asyncio.to_thread(migrations.is_current, postgres_url, location)


async def sleeping(url: str) -> None:
    """Wait until a session of the database sleeps."""
    sleepers = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
    store = await open_store(url, metadata=METADATA)
    async with asyncio.timeout(30):
        while not await store.read(lambda connection: connection.execute(sleepers).all()):
            pass
    await store.close()
