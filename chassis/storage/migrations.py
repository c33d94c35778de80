"""Alembic migrations of one service's tables. Alembic takes a second to import, so only these functions import it."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import URL, Connection, make_url, text

from chassis.storage import sqlite, transaction
from chassis.storage.changes import StorageUnavailable
from chassis.storage.ownership import Ownership

if TYPE_CHECKING:
    from alembic.config import Config

T = TypeVar("T")

# Any number, but the same in every replica: the PostgreSQL lock that lets one of them migrate at a time.
_LOCK = 7_202_311

# A migration takes as long as the table is big, and waits as long as another replica migrates: its statements have no
# limit. What has one is the silence of the server, longer than a failover within one zone takes as a rule.
_SILENCE_SECONDS = 30.0

# Alembic keeps its current environment in module globals; services that start in one process take turns.
_alembic = threading.Lock()


class MigrationFailed(Exception):
    """The migrated tables are not consistent; nothing was changed."""


def run(url: str, script_location: str, silence_seconds: float = _SILENCE_SECONDS) -> None:
    """Upgrade one service's tables to the newest version, in one transaction. Does nothing when they are there already.

    It blocks: a running event loop calls it through asyncio.to_thread, and before it opens the store. Replicas may call
    it at the same time; one migrates and the others wait for it.

    Args:
        url: As for open_store.
        script_location: `<service>/migrations`, a folder with alembic's revisions in `versions/`. The environment is
            ours; it needs no env.py. The service's name is in the name of its version table, because several services
            may share a PostgreSQL database.
        silence_seconds: After how long without a sign of life from PostgreSQL it counts as lost.

    Raises:
        AlreadyOwned: Another process has the SQLite file.
        MigrationFailed: The revisions leave rows whose parents are missing.
        StorageUnavailable: The database was lost around COMMIT, or is silent; running again settles it.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        ownership = Ownership.take(sqlite.prepare_file(parsed))
        try:
            _on_sqlite(parsed, partial(_upgrade_sqlite, script_location))
        finally:
            ownership.release()
    else:
        asyncio.run(_on_postgres(parsed, partial(_upgrade_postgres, script_location), silence_seconds))


def is_current(url: str, script_location: str, silence_seconds: float = _SILENCE_SECONDS) -> bool:
    """Tell whether the tables are at the newest version. It blocks, as run() does, and changes nothing.

    Args:
        url: As for open_store.
        script_location: As for run().
        silence_seconds: As for run().

    Raises:
        StorageUnavailable: PostgreSQL is silent.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return asyncio.run(_on_postgres(parsed, partial(_is_newest, script_location), silence_seconds))
    return Path(parsed.database or "").is_file() and _on_sqlite(parsed, partial(_is_newest, script_location))


def _on_sqlite(url: URL, body: Callable[[Connection], T]) -> T:
    engine = sqlite.engine(url)
    try:
        with engine.connect() as connection:
            # Alembic changes a SQLite table by copying and dropping it, which would cascade to its children.
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            return _transacted(body, connection)
    finally:
        engine.dispose()


async def _on_postgres(url: URL, body: Callable[[Connection], T], silence_seconds: float) -> T:
    from chassis.storage import postgres  # noqa: PLC0415  (16 MB, for those who use it)

    engine = postgres.engine(url, readonly=False, connections=1, command_seconds=None)

    async def work() -> T:
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(partial(_transacted, body))
        except TimeoutError as error:  # which has no words of its own
            raise StorageUnavailable("PostgreSQL does not answer") from error

    working, silent = asyncio.create_task(work()), asyncio.create_task(postgres.silent(url, silence_seconds))
    try:
        await asyncio.wait((working, silent), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise StorageUnavailable(f"PostgreSQL has not answered for {silence_seconds:g} s; starting again settles it")
    finally:
        working.cancel()
        silent.cancel()
        await asyncio.gather(working, silent, return_exceptions=True)
        await engine.dispose()


def _transacted(body: Callable[[Connection], T], connection: Connection) -> T:
    try:
        return transaction.run(connection, body)
    except transaction.CommitFailed as failed:
        raise StorageUnavailable(
            "the database was lost while its tables were brought up to date; starting again settles it"
        ) from failed.__cause__


def _upgrade_sqlite(script_location: str, connection: Connection) -> None:
    _upgrade(script_location, connection)
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if orphans:
        raise MigrationFailed(f"rows without their parent after migrating: {sorted({row[0] for row in orphans})}")


def _upgrade_postgres(script_location: str, connection: Connection) -> None:
    # Wait as long as it takes for a replica that migrates already, but never stall live traffic behind our own locks.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    _upgrade(script_location, connection)


def _upgrade(script_location: str, connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  (a second of import, for those who migrate)

    config = _config(script_location)
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _version_table(script_location)
    with _alembic:
        command.upgrade(config, "head")


def _is_newest(script_location: str, connection: Connection) -> bool:
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  (as above)
    from alembic.script import ScriptDirectory  # noqa: PLC0415  (as above)

    newest = ScriptDirectory.from_config(_config(script_location)).get_heads()
    context = MigrationContext.configure(connection, opts={"version_table": _version_table(script_location)})
    return set(context.get_current_heads()) == set(newest)


def _config(script_location: str) -> "Config":
    from alembic.config import Config  # noqa: PLC0415  (as above)

    config = Config()
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", _escaped(Path(__file__).with_name("alembic")))
    config.set_main_option("version_locations", _escaped(Path(script_location).absolute() / "versions"))
    return config


def _version_table(script_location: str) -> str:
    """Return where alembic notes the version: services that share a PostgreSQL database are migrated one by one."""
    return f"{Path(script_location).absolute().parent.name}_version"


def _escaped(path: Path) -> str:
    """Return the path as alembic's configuration wants it, where % starts a substitution."""
    return str(path).replace("%", "%%")
