"""From finished spans to the local store and to an exporter, on a thread of its own.

Product code only appends to a bounded queue. Whatever fails here is counted and said once in the log; it never
reaches product code, and a full queue loses spans rather than time.
"""

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Protocol

from chassis.telemetry.spans import Span, redact_all
from chassis.telemetry.store import SpanStore

_log = logging.getLogger(__name__)

# At 500 orders a second one process finishes some 3,000 spans a second: room for five seconds of a busy disk, 12 MB.
CAPACITY = 16_384

# Long enough for most traces to be whole and so one row, short enough for `ordermesh trace` right after an order.
_INTERVAL_SECONDS = 0.5

# One pruning takes away a hundred rows, which is more than are written meanwhile.
_BATCHES_PER_PRUNING = 16

# A file that is locked, or made by another process at this moment, is usable a round or two later.
_TRIES = 4


class SpanExporter(Protocol):
    """Takes finished spans somewhere else. It must not raise."""

    def put(self, spans: Sequence[Span]) -> None:
        """Take a batch, without blocking."""
        ...


class Pipeline:
    """One per process: the queue, the thread and the store behind it.

    Args:
        path: The store's file.
        exporter: Where else the spans go.
        now_ns: Wall-clock nanoseconds since 1970.
        capacity: At most so many spans wait.
        interval_seconds: Time between two batches.

    Attributes:
        dropped: Spans that were lost, by full queue or failing store.
    """

    def __init__(
        self,
        path: Path,
        exporter: SpanExporter | None,
        now_ns: Callable[[], int],
        *,
        capacity: int = CAPACITY,
        interval_seconds: float = _INTERVAL_SECONDS,
    ) -> None:
        self.dropped = 0
        self._path = path
        self._exporter = exporter
        self._now_ns = now_ns
        self._capacity = capacity
        self._interval_seconds = interval_seconds
        self._queue: deque[Span] = deque()
        self._unsaved: list[Span] = []
        self._failures = 0
        self._saved = 0
        self._store: SpanStore | None = None
        self._draining = Lock()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, span: Span) -> None:
        """Take a finished span, or count it as dropped when too many wait."""
        if len(self._queue) < self._capacity:
            self._queue.append(span)
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Store what has been finished so far. Blocks; for tests and the last moments of a process."""
        with self._draining:
            self._drain()

    def shutdown(self) -> None:
        """Store what is left and stop. Blocks for about as long as one batch takes."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()
        if self._store is not None:
            self._store.close()
            self._store = None
        if self.dropped:
            _log.warning("spans.lost", extra={"spans": self.dropped})

    def _run(self) -> None:
        while not self._stop.wait(self._interval_seconds):
            try:
                self.flush()
            except Exception:  # noqa: BLE001  (a defect here must not end tracing for as long as the process lives)
                _log.warning("spans.defect", exc_info=True)

    def _drain(self) -> None:
        fresh = [self._queue.popleft() for _ in range(len(self._queue))]
        redact_all(fresh)
        if fresh and self._exporter is not None:
            self._exporter.put(fresh)
        self._unsaved.extend(fresh)
        if not self._unsaved:
            return
        try:
            self._save()
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
        else:
            self._failures = 0

    def _save(self) -> None:
        if self._store is None:
            self._store = SpanStore(self._path)
        self.dropped += self._store.append(self._unsaved)
        self._unsaved.clear()
        if self._saved % _BATCHES_PER_PRUNING == 0:
            self._store.prune(self._now_ns())
        self._saved += 1

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures % _TRIES:
            return
        if self._failures == _TRIES:
            _log.warning("spans.store_failed", extra={"detail": str(error)})
        self.dropped += len(self._unsaved)
        self._unsaved.clear()
