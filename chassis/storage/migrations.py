"""Alembic migrations of one service's tables. Alembic takes a second to import, so only these functions import it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
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

_logger = logging.getLogger(__name__)

_LOST = "the database was lost while its tables were brought up to date; starting again settles it"

# Any number, but the same in every replica: the PostgreSQL lock that lets one of them migrate at a time.
_LOCK = 7_202_311

# How often a replica asks whether another one has migrated. It asks, and does not wait in a statement: that would hold
# a snapshot, which CREATE INDEX CONCURRENTLY, in the one that migrates, would wait for in turn.
_ASK_SECONDS = 0.2

# A migration takes as long as the table is big, and waits as long as another replica migrates: its statements have no
# limit. What has one is the silence of the server, longer than a failover within one zone takes as a rule.
_SILENCE_SECONDS = 30.0

# Alembic keeps its current environment in module globals; services that start in one process take turns.
_alembic = threading.Lock()


Told = Callable[[str, int, int | None], None]
"""Is told what is being done now, how many steps are done, and of how many; None where nobody knows."""


def untold(_what: str, _done: int, _of: int | None) -> None:
    """Tell nobody."""


class MigrationFailed(Exception):
    """The migrated tables are not consistent; nothing was changed."""


def run(url: str, script_location: str, silence_seconds: float = _SILENCE_SECONDS, *, told: Told = untold) -> None:
    """Upgrade one service's tables to the newest version. Does nothing when they are there already, or are newer still.

    It blocks: a running event loop calls it through asyncio.to_thread, and before it opens the store. Replicas may call
    it at the same time; one migrates and the others wait for it. All that is missing is done in one transaction, but
    for what has to be done outside of any (`big_index`).

    Tables that a later release has made are left as they are: each migration works with the code before it, so this
    code does with them.

    Args:
        url: As for open_store.
        script_location: `<service>/migrations`, a folder with alembic's revisions in `versions/`. The environment is
            ours; it needs no env.py. The service's name is in the name of its version table, because several services
            may share a PostgreSQL database.
        silence_seconds: After how long without a sign of life from PostgreSQL it counts as lost.
        told: Told how far it is.

    Raises:
        AlreadyOwned: Another process has the SQLite file.
        MigrationFailed: The revisions leave rows whose parents are missing.
        StorageUnavailable: The database was lost around COMMIT, or is silent; running again settles it.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        ownership = Ownership.take(sqlite.prepare_file(parsed))
        try:
            _on_sqlite(parsed, partial(_upgrade_sqlite, script_location, told))
        finally:
            ownership.release()
    else:
        asyncio.run(_on_postgres(parsed, partial(_upgrade_postgres, script_location, told), silence_seconds))


def is_current(url: str, script_location: str, silence_seconds: float = _SILENCE_SECONDS) -> bool:
    """Tell whether the tables are at the newest version, or newer. It blocks, as run() does, and changes nothing.

    Args:
        url: As for open_store.
        script_location: As for run().
        silence_seconds: As for run().

    Raises:
        StorageUnavailable: PostgreSQL is silent.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        looking = partial(_transacted, partial(_is_newest, script_location))
        return asyncio.run(_on_postgres(parsed, looking, silence_seconds))
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
                return await connection.run_sync(body)
        except TimeoutError as error:  # which has no words of its own
            raise StorageUnavailable("PostgreSQL does not answer") from error
        except postgres.DRIVER_ERRORS as error:
            if postgres.is_lost(error):
                raise StorageUnavailable(_LOST) from error
            raise

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
        raise StorageUnavailable(_LOST) from failed.__cause__


def _upgrade_sqlite(script_location: str, told: Told, connection: Connection) -> None:
    _upgrade(script_location, told, connection)
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if orphans:
        raise MigrationFailed(f"rows without their parent after migrating: {sorted({row[0] for row in orphans})}")


def _upgrade_postgres(script_location: str, told: Told, connection: Connection) -> None:
    # A migration may take long, but never stalls live traffic behind a lock that it waits for.
    for setting in ("statement_timeout = 0", "idle_in_transaction_session_timeout = 0", "lock_timeout = '5s'"):
        _at_once(connection, partial(_execute, f"SET {setting}"))
    # The session keeps the lock until it ends, however it ends.
    while not _at_once(connection, partial(_execute, f"SELECT pg_try_advisory_lock({_LOCK})")):
        told("waits for another process that migrates", 0, None)
        time.sleep(_ASK_SECONDS)
    _upgrade(script_location, told, connection)


def _execute(statement: str, connection: Connection) -> object:
    """Run a statement, and return the one value that it finds; None when it is not one that finds any."""
    found = connection.execute(text(statement))
    return found.scalar() if found.returns_rows else None


def _at_once(connection: Connection, body: Callable[[Connection], T]) -> T:
    """Run the body in a transaction of its own, unless there is one."""
    if connection.in_transaction():
        return body(connection)
    with connection.begin():
        return body(connection)


def _upgrade(script_location: str, told: Told, connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  (a second of import, for those who migrate)

    config = _config(script_location)
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _version_table(script_location)
    with _alembic:
        known, present = _at_once(connection, partial(_versions, script_location))
        if _are_later(present, known):
            _logger.warning("tables.newer", extra={"tables_at": present[0], "code_knows": known[0]})
            return
        missing = list(reversed(_newer_than(present, known)))
        config.attributes["on_version_apply"] = _steps(missing, told)
        command.upgrade(config, "head")


def _is_newest(script_location: str, connection: Connection) -> bool:
    known, present = _versions(script_location, connection)
    return present == known[:1] or _are_later(present, known)


def _versions(script_location: str, connection: Connection) -> tuple[list[str], list[str]]:
    """Return the versions that this code knows, the newest first, and the one that the tables are at, if any."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  (as above)
    from alembic.script import ScriptDirectory  # noqa: PLC0415  (as above)

    scripts = ScriptDirectory.from_config(_config(script_location))
    context = MigrationContext.configure(connection, opts={"version_table": _version_table(script_location)})
    return [script.revision for script in scripts.walk_revisions()], list(context.get_current_heads())


def _are_later(present: list[str], known: list[str]) -> bool:
    """Tell whether tables are at a version of a later release: ours are numbered, with leading zeros."""
    return bool(present) and not set(present) & set(known) and min(present) > known[0]


def _newer_than(present: list[str], known: list[str]) -> list[str]:
    """Return the versions that the tables have not come to yet, the newest first."""
    return known[: known.index(present[0])] if present and present[0] in known else known


def _steps(missing: Sequence[str], told: Told) -> Callable[..., None]:
    """Return what alembic calls after each step; tells which one comes next, the first of them now."""
    left = iter(enumerate(missing))

    def tell(**_of_alembic: object) -> None:
        for done, version in left:
            told(f"to version {version}", done, len(missing))
            return

    tell()
    return tell


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
