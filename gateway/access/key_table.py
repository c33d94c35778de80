"""The table of API keys, in SQLite or PostgreSQL: read by gateways, written by `ordermesh keys`.

It is not behind chassis.storage, whose SQLite files belong to one process each: here the command writes while any
number of gateways read.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    UniqueConstraint,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from chassis.storage import migrations, sqlite
from gateway.access.api_keys import MOST_OF_ONE_NAME, ApiKey

T = TypeVar("T")

MIGRATIONS = str(Path(__file__).parents[1] / "migrations")

METADATA = MetaData()

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", String(16), primary_key=True),
    Column("name", String(63), nullable=False),
    # Which of the places that a name has, while the key is active: two keys cannot take one.
    Column("place", Integer),
    Column("digest", String(64), nullable=False),
    Column("scopes", String(2000), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    UniqueConstraint("name", "place"),
)

# Whoever waits for keys is a request.
_SECONDS = 3.0


class TooManyKeys(Exception):
    """The name has as many active keys as it may have."""


class KeyTable:
    """The table at a URL; an empty one stands for a table without keys."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url or "sqlite://")
        self._on_sqlite = self._url.get_backend_name() == "sqlite"

    def prepare(self) -> None:
        """Bring the table up to date. It blocks, and must not run in an event loop."""
        url = self._url.render_as_string(hide_password=False)
        if not migrations.is_current(url, MIGRATIONS):
            migrations.run(url, MIGRATIONS)

    async def every(self) -> list[ApiKey]:
        """Return every key; none when the table was never made."""
        return await self._run(_every) if self._made() else []

    async def add(self, key: ApiKey) -> None:
        """Keep a new key.

        Raises:
            TooManyKeys: Of one name.
        """
        # Who makes a key of the same name at the same time may take the place first; then there may be another.
        for _ in range(MOST_OF_ONE_NAME):
            try:
                return await self._run(lambda connection: _add(connection, key))
            except IntegrityError:
                pass
        raise TooManyKeys

    async def revoke(self, which: str, now: datetime) -> list[str]:
        """End the active keys of that id or name, and return their ids."""
        return await self._run(lambda connection: _revoke(connection, which, now))

    async def used(self, key_ids: Iterable[str], now: datetime) -> None:
        """Note when keys were used."""
        values = {"last_used_at": _ms(now)}
        wanted = API_KEYS.c.key_id.in_(list(key_ids))
        await self._run(lambda connection: connection.execute(update(API_KEYS).where(wanted).values(values)))

    def _made(self) -> bool:
        """Return whether there may be a table: opening a file of SQLite would make one."""
        return not self._on_sqlite or Path(self._url.database or "").is_file()

    async def _run(self, body: Callable[[Connection], T]) -> T:
        if self._on_sqlite:
            return await asyncio.to_thread(self._in_sqlite, body)
        from chassis.storage import postgres  # noqa: PLC0415  (16 MB, for those who use it)

        engine = postgres.engine(self._url, readonly=False, connections=1, command_seconds=_SECONDS)
        try:
            async with asyncio.timeout(2 * _SECONDS), engine.begin() as connection:
                return await connection.run_sync(body)
        finally:
            await engine.dispose()

    def _in_sqlite(self, body: Callable[[Connection], T]) -> T:
        engine = sqlite.engine(self._url)
        try:
            with engine.begin() as connection:
                return body(connection)
        finally:
            engine.dispose()


def _every(connection: Connection) -> list[ApiKey]:
    if not inspect(connection).has_table(API_KEYS.name):
        return []
    return [_key(row) for row in connection.execute(select(API_KEYS).order_by(API_KEYS.c.created_at))]


def _add(connection: Connection, key: ApiKey) -> None:
    now = _ms(key.created_at)
    lapsed = API_KEYS.c.name == key.name, API_KEYS.c.expires_at <= now
    connection.execute(update(API_KEYS).where(*lapsed).values(place=None))
    taken = set(connection.scalars(select(API_KEYS.c.place).where(API_KEYS.c.name == key.name)))
    free = [place for place in range(MOST_OF_ONE_NAME) if place not in taken]
    if not free:
        raise TooManyKeys
    row = {
        "key_id": key.key_id,
        "name": key.name,
        "place": free[0],
        "digest": key.digest,
        "scopes": " ".join(sorted(key.scopes)),
        "created_at": now,
        "expires_at": None if key.expires_at is None else _ms(key.expires_at),
    }
    connection.execute(API_KEYS.insert().values(row))


def _revoke(connection: Connection, which: str, now: datetime) -> list[str]:
    wanted = (API_KEYS.c.key_id == which) | (API_KEYS.c.name == which), API_KEYS.c.revoked_at.is_(None)
    found = list(connection.scalars(select(API_KEYS.c.key_id).where(*wanted)))
    connection.execute(update(API_KEYS).where(*wanted).values(revoked_at=_ms(now), place=None))
    return found


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    columns = row._mapping  # noqa: SLF001  (SQLAlchemy's documented way to a row by name)
    return ApiKey(
        key_id=columns["key_id"],
        name=columns["name"],
        digest=columns["digest"],
        scopes=frozenset(columns["scopes"].split()),
        created_at=_moment(columns["created_at"]),
        expires_at=_maybe(columns["expires_at"]),
        revoked_at=_maybe(columns["revoked_at"]),
        last_used_at=_maybe(columns["last_used_at"]),
    )


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _maybe(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _moment(milliseconds)
