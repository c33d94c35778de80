"""The local span store: one SQLite file that all processes of a data directory append to, and that the CLI reads.

A batch of spans is one row without any index, so that writing a span costs little more than its encoding; a reader
looks through the trace ids of all rows, some milliseconds that only a person waits for. Losing the last moments in a
power cut is fine here (`synchronous=NORMAL`); slowing an order down is not.
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

_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS batches (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        end_ns INTEGER NOT NULL,  -- when its last span ended
        upto INTEGER NOT NULL,  -- how many spans were ever stored, with this batch
        spans BLOB NOT NULL  -- JSON
    )
    """,
    # What is looked through to find a trace; apart, so that looking does not read the spans.
    """
    CREATE TABLE IF NOT EXISTS contents (
        batch_id INTEGER PRIMARY KEY,
        trace_ids BLOB NOT NULL,  -- 16 bytes each
        links BLOB NOT NULL  -- 32 bytes each: a trace of this batch and one that it links to
    )
    """,
)

# Another process may be writing its batch, which takes milliseconds; a checkpoint can take longer.
_BUSY_SECONDS = 5.0

# A span takes about 250 bytes: 125 MB, or the last 40,000 orders.
MOST_SPANS = 500_000

# Long enough to look into last week's complaint.
OLDEST_NS = 7 * 24 * 3600 * 1_000_000_000

# More in one row would keep the interpreter's lock, and with it the event loop, for longer than a millisecond.
_SPANS_IN_A_ROW = 1_000

# How much later than another process one may write what it ended before: batches are written every half second, and
# tried again for a while where the file is locked.
_WRITTEN_LATE_NS = 60 * 1_000_000_000

# Deleting more at a time would keep other processes' writes waiting.
_ROWS_PRUNED_AT_ONCE = 100


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
        most_spans: `prune` keeps about so many.
        oldest_ns: `prune` keeps nothing that ended longer ago.

    Raises:
        sqlite3.Error: The file cannot be used; so do all methods.
        OSError: Its folder cannot be made.
    """

    def __init__(self, path: Path, *, most_spans: int = MOST_SPANS, oldest_ns: int = OLDEST_NS) -> None:
        self._most_spans = most_spans
        self._oldest_ns = oldest_ns
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            for table in _SCHEMA:
                self._db.execute(table)
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def append(self, spans: Sequence[Span]) -> int:
        """Store finished spans in one transaction; return how many could not be written as JSON and were left out."""
        left_out = 0
        with self._transaction():
            for first in range(0, len(spans), _SPANS_IN_A_ROW):
                left_out += self._insert(spans[first : first + _SPANS_IN_A_ROW])
        return left_out

    def first_since(self, moment_ns: int) -> int:
        """Return the batch from which on nothing that ended at the moment, or later, is left out: for `first`.

        It is looked for from the newest on, so that for what is recent little is read.
        """
        found = self._db.execute(
            "SELECT id FROM batches WHERE end_ns < ? ORDER BY id DESC LIMIT 1", (moment_ns - _WRITTEN_LATE_NS,)
        ).fetchone()
        return found[0] + 1 if found else 0

    def trace(self, trace_id: str, *, first: int = 0) -> list[StoredSpan]:
        """Return the spans of a trace, earliest first; none when it is unknown.

        Args:
            trace_id: 32 digits.
            first: The batch to begin with.
        """
        return self._traces({bytes.fromhex(trace_id)}, first)

    def going_on_from(self, trace_ids: Iterable[str], *, first: int = 0) -> list[StoredSpan]:
        """Return the spans of the other traces that link to one of these, earliest first; arguments as of `trace`."""
        known = {bytes.fromhex(trace_id) for trace_id in trace_ids}
        found: set[bytes] = set()
        for trace_id in known:
            for (links,) in self._db.execute(
                "SELECT links FROM contents WHERE batch_id >= ? AND instr(links, ?)", (first, trace_id)
            ):
                pairs = ((links[at : at + 16], links[at + 16 : at + 32]) for at in range(0, len(links), 32))
                found.update(source for source, target in pairs if target == trace_id)
        return self._traces(found - known, first)

    def prune(self, now_ns: int) -> None:
        """Delete what is too much or too old, a little at a time; call it after every few batches."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM batches WHERE id IN (SELECT id FROM batches ORDER BY id LIMIT :some) AND (end_ns < :oldest"
                " OR upto <= (SELECT upto FROM batches ORDER BY id DESC LIMIT 1) - :most)",
                {"some": _ROWS_PRUNED_AT_ONCE, "oldest": now_ns - self._oldest_ns, "most": self._most_spans},
            )
            self._db.execute("DELETE FROM contents WHERE batch_id < (SELECT min(id) FROM batches)")

    def _insert(self, spans: Sequence[Span]) -> int:
        encoded = _encode(spans)
        if encoded is None:
            written = [span for span in spans if _encode([span]) is not None]
            encoded = _encode(written) or b""
        else:
            written = list(spans)
        if written:
            trace_ids = dict.fromkeys(span.trace_id for span in written)
            links = {(span.trace_id, link.trace_id) for span in written if span.links for link in span.links}
            batch = self._db.execute(
                "INSERT INTO batches (end_ns, upto, spans)"
                " VALUES (?, ifnull((SELECT upto FROM batches ORDER BY id DESC LIMIT 1), 0) + ?, ?)",
                (max(span.end_ns for span in written), len(written), encoded),
            )
            self._db.execute(
                "INSERT INTO contents (batch_id, trace_ids, links) VALUES (?, ?, ?)",
                (
                    batch.lastrowid,
                    b"".join(trace_id.to_bytes(16) for trace_id in trace_ids),
                    b"".join(source.to_bytes(16) + target.to_bytes(16) for source, target in links),
                ),
            )
        return len(spans) - len(written)

    def _traces(self, trace_ids: set[bytes], first: int) -> list[StoredSpan]:
        wanted = {trace_id.hex() for trace_id in trace_ids}
        batches: dict[int, bytes] = {}
        for trace_id in trace_ids:
            rows = self._db.execute(
                "SELECT id, spans FROM contents JOIN batches ON id = batch_id"
                " WHERE batch_id >= ? AND instr(trace_ids, ?)",
                (first, trace_id),
            )
            batches.update(rows)
        # Of the hundreds of spans in a batch a few are wanted; the first of a span's fields is its trace.
        found = [fields for encoded in batches.values() for fields in orjson.loads(encoded) if fields[0] in wanted]
        return sorted(map(_from_json, found), key=lambda span: (span.start_ns, -span.end_ns))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _encode(spans: Sequence[Span]) -> bytes | None:
    try:
        return orjson.dumps([_as_json(span) for span in spans], default=str)
    except TypeError:
        return None


def _as_json(span: Span) -> tuple[object, ...]:
    return (
        f"{span.trace_id:032x}",
        span.span_id,
        span.parent_id,
        span.service,
        span.name,
        span.kind,
        span.start_ns,
        span.end_ns,
        span.attributes,
        [(f"{link.trace_id:032x}", f"{link.span_id:016x}") for link in span.links] if span.links else (),
        span.status,
        span.status_message,
    )


def _from_json(fields: list[Any]) -> StoredSpan:
    trace_id, span_id, parent_id, service, name, kind, start_ns, end_ns, attributes, links, status, message = fields
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
