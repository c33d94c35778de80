"""Everything the sandbox remembers: JSON objects in one SQLite file, written in groups by one thread.

A caller writes into memory and then waits for `committed()`. Whatever arrives while the disk is busy goes out together
in the next transaction, so that a hundred writers cost one. `synchronous=NORMAL` in WAL mode survives the death of the
process; only a power cut can take the last moments, which is fair for a sandbox.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]

# The objects that orders in flight touch: some hundred orders a second, a dozen objects each; about 2 KB apiece, so at
# most some 8 MB.
_CACHE_ENTRIES = 4_096

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  created INTEGER NOT NULL,
  parent TEXT NOT NULL,
  order_id TEXT NOT NULL,
  pending INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (kind, parent, seq);
CREATE INDEX IF NOT EXISTS objects_by_order ON objects (order_id, kind) WHERE order_id <> '';
CREATE INDEX IF NOT EXISTS objects_in_order ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_pending ON objects (kind, seq) WHERE pending = 1;
"""
_UPSERT = """
INSERT INTO objects (seq, kind, id, created, parent, order_id, pending, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, id) DO UPDATE SET
  created = excluded.created, parent = excluded.parent, order_id = excluded.order_id,
  pending = excluded.pending, body = excluded.body
"""

OF_ORDER = "order_id = ? AND order_id <> ''"
"""The condition for one order's objects, worded so that SQLite takes the index over objects that have one."""

Key = tuple[str, str]

_FOREVER = 2**62  # later than any Unix time


@dataclass(frozen=True, slots=True)
class Row:
    """One object with the columns it can be found by."""

    seq: int
    kind: str
    id: str
    created: int
    """Unix seconds."""
    parent: str
    order_id: str
    pending: bool
    """Whether something is still to be done with it (a webhook to deliver)."""
    body: bytes

    def values(self) -> tuple[int, str, str, int, str, str, int, bytes]:
        """Return the columns in table order."""
        return (
            self.seq, self.kind, self.id, self.created, self.parent, self.order_id, int(self.pending), self.body,
        )  # fmt: skip


@dataclass(slots=True)
class _Batch:
    rows: dict[Key, Row | None]
    """None deletes."""
    done: asyncio.Future[None]


class Storage:
    """Objects by kind and id, and by the indexes above. Belongs to one event loop; only the writer runs elsewhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cache: OrderedDict[Key, bytes] = OrderedDict()
        self._open: _Batch | None = None
        self._flying: _Batch | None = None
        self._handoff: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._seq = 0

    async def start(self) -> None:
        """Open the file, creating it if need be, and start the writer."""
        self._loop = asyncio.get_running_loop()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._reader = self.connect()
        self._reader.executescript(_SCHEMA)
        (self._seq,) = self._reader.execute("SELECT coalesce(max(seq), 0) FROM objects").fetchone()
        self._writer = threading.Thread(target=self._write_batches, name="sandbox-writer", daemon=True)
        self._writer.start()

    async def stop(self) -> None:
        """Write what is left and close the file."""
        await self.committed()
        self._handoff.put(None)
        await asyncio.to_thread(self._writer.join)
        self._reader.close()

    def connect(self) -> sqlite3.Connection:
        """Return a new connection to the file, for reading in bulk outside the event loop's thread."""
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA busy_timeout = 5000")
        return connection

    def put(
        self,
        kind: str,
        id_: str,
        body: Json,
        *,
        created: int,
        parent: str = "",
        order_id: str = "",
        pending: bool = False,
    ) -> None:
        """Insert or replace an object; visible to `get` at once, durable after `committed`."""
        self._seq += 1
        raw = orjson.dumps(body)
        rows = self._batch().rows
        earlier = rows.get((kind, id_))
        # An object keeps the place of its first insert; the table sees to that across batches.
        seq = self._seq if earlier is None else earlier.seq
        rows[(kind, id_)] = Row(seq, kind, id_, created, parent, order_id, pending, raw)
        self._remember((kind, id_), raw)

    def delete(self, kind: str, id_: str) -> None:
        """Forget an object."""
        self._batch().rows[(kind, id_)] = None
        self._cache.pop((kind, id_), None)

    def get(self, kind: str, id_: str) -> Json | None:
        """Return a fresh copy of an object, or None."""
        raw = self._raw((kind, id_))
        return None if raw is None else orjson.loads(raw)

    async def committed(self) -> None:
        """Wait until everything written so far is in the file."""
        batch = self._open or self._flying
        if batch is not None:
            await asyncio.shield(batch.done)

    def select(self, where: str, args: Sequence[object], *, limit: int = -1, skip: int = 0) -> list[Json]:
        """Return objects matching `where` (SQL over the columns). Call `committed` first to see the latest writes."""
        sql = f"SELECT body FROM objects WHERE {where} LIMIT ? OFFSET ?"  # noqa: S608  (`where` is written in this package)
        return [orjson.loads(body) for (body,) in self._reader.execute(sql, (*args, limit, skip))]

    def count(self, where: str, args: Sequence[object]) -> int:
        """Return how many objects match `where`. Call `committed` first to see the latest writes."""
        sql = f"SELECT count(*) FROM objects WHERE {where}"  # noqa: S608  (`where` is written in this package)
        (found,) = self._reader.execute(sql, args).fetchone()
        return int(found)

    def pending_ids(self, kind: str, before: int = _FOREVER) -> list[str]:
        """Return the ids of objects with something still to do that were created until `before`, oldest first."""
        # Named, because SQLite cannot know how few objects are pending.
        source = "objects INDEXED BY objects_pending"
        sql = f"SELECT id FROM {source} WHERE kind = ? AND pending = 1 AND created <= ? ORDER BY seq"  # noqa: S608
        return [id_ for (id_,) in self._reader.execute(sql, (kind, before))]

    def seq_of(self, kind: str, id_: str) -> int | None:
        """Return the position of an object in the order of creation, or None."""
        found = self._reader.execute("SELECT seq FROM objects WHERE kind = ? AND id = ?", (kind, id_)).fetchone()
        return None if found is None else found[0]

    def prune(self, kind: str, before: int) -> None:
        """Forget every object of `kind` created before that moment (Unix seconds)."""
        sql = "SELECT id FROM objects WHERE kind = ? AND created < ?"
        for (id_,) in self._reader.execute(sql, (kind, before)).fetchall():
            self.delete(kind, id_)

    def _raw(self, key: Key) -> bytes | None:
        for batch in (self._open, self._flying):
            if batch is not None and key in batch.rows:
                row = batch.rows[key]
                return None if row is None else row.body
        cached = self._cache.get(key)
        if cached is not None:
            self._cache.move_to_end(key)
            return cached
        found = self._reader.execute("SELECT body FROM objects WHERE kind = ? AND id = ?", key).fetchone()
        if found is None:
            return None
        raw: bytes = found[0]
        self._remember(key, raw)
        return raw

    def _remember(self, key: Key, raw: bytes) -> None:
        self._cache[key] = raw
        self._cache.move_to_end(key)
        if len(self._cache) > _CACHE_ENTRIES:
            self._cache.popitem(last=False)

    def _batch(self) -> _Batch:
        if self._open is None:
            self._open = _Batch({}, self._loop.create_future())
            # Later in this turn of the loop, so that all writes of one request travel together.
            self._loop.call_soon(self._hand_over)
        return self._open

    def _hand_over(self) -> None:
        if self._flying is None and self._open is not None:
            self._flying, self._open = self._open, None
            self._handoff.put(self._flying)

    def _landed(self, batch: _Batch, error: Exception | None) -> None:
        self._flying = None
        if error is None:
            batch.done.set_result(None)
        else:
            batch.done.set_exception(error)
        self._hand_over()

    def _write_batches(self) -> None:
        with contextlib.closing(self.connect()) as connection:
            while (batch := self._handoff.get()) is not None:
                error: Exception | None = None
                try:
                    _write(connection, batch.rows.items())
                except sqlite3.Error as failure:
                    error = failure
                self._loop.call_soon_threadsafe(self._landed, batch, error)


def _write(connection: sqlite3.Connection, rows: Iterable[tuple[Key, Row | None]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for key, row in rows:
            if row is None:
                connection.execute("DELETE FROM objects WHERE kind = ? AND id = ?", key)
            else:
                connection.execute(_UPSERT, row.values())
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise
