"""The local span store: one SQLite file that all processes of a data directory append to, and that the CLI reads.

Spans of one trace that finish together are one row, so that writing costs a row per trace and not per span. Losing the
last moments in a power cut is fine here (`synchronous=NORMAL`); slowing an order down is not.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from chassis.telemetry.spans import AttributeValue, Span

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trace_id BLOB NOT NULL,
    end_ns INTEGER NOT NULL,
    spans BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS chunks_by_trace ON chunks (trace_id);
CREATE TABLE IF NOT EXISTS links (
    chunk_id INTEGER NOT NULL,
    from_trace BLOB NOT NULL,
    to_trace BLOB NOT NULL,
    PRIMARY KEY (chunk_id, to_trace)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_by_source ON links (from_trace);
CREATE INDEX IF NOT EXISTS links_by_target ON links (to_trace);
"""

# Another process may be writing its batch, which takes milliseconds; a checkpoint can take longer.
_BUSY_SECONDS = 5.0

# A row is an order's spans in one process, about 1.5 kB: some 150 MB, or the last 20,000 orders over five processes.
MOST_CHUNKS = 100_000

# Long enough to look into last week's complaint.
OLDEST_NS = 7 * 24 * 3600 * 1_000_000_000

# Deleting more at a time would keep other processes' writes waiting.
_PRUNE_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """A finished span as it is read back. Ids are lower-case hexadecimal, as everybody writes them.

    Attributes:
        trace_id: 32 digits.
        span_id: 16 digits.
        parent_id: 16 digits; empty at the root.
        service: Name of the service that did the work.
        name: What was done.
        kind: "server", "client", "internal", "producer" or "consumer".
        start_ns: Wall-clock nanoseconds since 1970.
        end_ns: The same.
        attributes: Facts about the work.
        links: Trace id and span id of each span linked to.
        status: "unset", "ok" or "error".
        status_message: Why it failed.
    """

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    attributes: dict[str, AttributeValue]
    links: tuple[tuple[str, str], ...]
    status: str
    status_message: str


class SpanStore:
    """The file. One instance is used by one thread at a time.

    Args:
        path: Made, with its folder, when it is not there.
        most_chunks: `prune` keeps at most so many rows.
        oldest_ns: `prune` keeps nothing that ended longer ago.

    Raises:
        sqlite3.Error: The file cannot be used; so do all methods.
        OSError: Its folder cannot be made.
    """

    def __init__(self, path: Path, *, most_chunks: int = MOST_CHUNKS, oldest_ns: int = OLDEST_NS) -> None:
        self._most_chunks = most_chunks
        self._oldest_ns = oldest_ns
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def append(self, spans: Sequence[Span]) -> int:
        """Store finished spans in one transaction; return how many could not be written as JSON and were left out."""
        by_trace: dict[int, list[Span]] = {}
        for span in spans:
            by_trace.setdefault(span.trace_id, []).append(span)
        left_out = 0
        with self._transaction():
            for trace_id, together in by_trace.items():
                try:
                    encoded = orjson.dumps([_as_json(span) for span in together], default=str)
                except TypeError:
                    left_out += len(together)
                else:
                    self._insert(trace_id, together, encoded)
        return left_out

    def trace(self, trace_id: str) -> list[StoredSpan]:
        """Return the spans of a trace, earliest first; none when it is unknown."""
        rows = self._db.execute("SELECT spans FROM chunks WHERE trace_id = ?", (bytes.fromhex(trace_id),))
        spans = [_from_json(trace_id, fields) for (encoded,) in rows for fields in orjson.loads(encoded)]
        return sorted(spans, key=lambda span: (span.start_ns, -span.end_ns))

    def linked(self, trace_ids: Iterable[str]) -> list[StoredSpan]:
        """Return the spans of the other traces that link to one of these or are linked from one, earliest first."""
        known = set(trace_ids)
        found: set[str] = set()
        for trace_id in known:
            rows = self._db.execute(
                "SELECT to_trace FROM links WHERE from_trace = :this UNION "
                "SELECT from_trace FROM links WHERE to_trace = :this",
                {"this": bytes.fromhex(trace_id)},
            )
            found.update(other.hex() for (other,) in rows)
        spans = [span for trace_id in found - known for span in self.trace(trace_id)]
        return sorted(spans, key=lambda span: (span.start_ns, -span.end_ns))

    def prune(self, now_ns: int) -> None:
        """Delete what is too much or too old, a little at a time; call it after each batch."""
        first, newest = self._db.execute("SELECT min(id), max(id) FROM chunks").fetchone()
        if first is None:
            return
        a_little = first + _PRUNE_AT_ONCE
        (too_old,) = self._db.execute(
            "SELECT max(id) FROM chunks WHERE id <= ? AND end_ns < ?", (a_little, now_ns - self._oldest_ns)
        ).fetchone()
        last = min(max(newest - self._most_chunks, too_old or 0), a_little)
        if last < first:
            return
        with self._transaction():
            self._db.execute("DELETE FROM links WHERE chunk_id <= ?", (last,))
            self._db.execute("DELETE FROM chunks WHERE id <= ?", (last,))

    def _insert(self, trace_id: int, spans: list[Span], encoded: bytes) -> None:
        from_trace = trace_id.to_bytes(16)
        end_ns = max(span.end_ns for span in spans)
        cursor = self._db.execute(
            "INSERT INTO chunks (trace_id, end_ns, spans) VALUES (?, ?, ?)", (from_trace, end_ns, encoded)
        )
        targets = {link.trace_id for span in spans for link in span.links}
        if targets:
            self._db.executemany(
                "INSERT INTO links (chunk_id, from_trace, to_trace) VALUES (?, ?, ?)",
                [(cursor.lastrowid, from_trace, target.to_bytes(16)) for target in targets],
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _as_json(span: Span) -> tuple[object, ...]:
    links = [(f"{link.trace_id:032x}", f"{link.span_id:016x}") for link in span.links] if span.links else ()
    return (
        span.span_id,
        span.parent_id,
        span.service,
        span.name,
        span.kind,
        span.start_ns,
        span.end_ns,
        span.attributes,
        links,
        span.status,
        span.status_message,
    )


def _from_json(trace_id: str, fields: list[Any]) -> StoredSpan:
    span_id, parent_id, service, name, kind, start_ns, end_ns, attributes, links, status, message = fields
    return StoredSpan(
        trace_id=trace_id,
        span_id=f"{span_id:016x}",
        parent_id=f"{parent_id:016x}" if parent_id else "",
        service=service,
        name=name,
        kind=kind,
        start_ns=start_ns,
        end_ns=end_ns,
        attributes=attributes,
        links=tuple((linked_trace, linked_span) for linked_trace, linked_span in links),
        status=status,
        status_message=message,
    )
