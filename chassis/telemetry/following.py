"""The spans of some traces, and of the traces that go on from them."""

from collections.abc import Iterable
from pathlib import Path

from chassis.telemetry.setup import SPANS_FILE
from chassis.telemetry.store import SpanStore, StoredSpan

# A mail is three traces away from the order: placed, handed over, sent. One more for a delivery event.
_HOPS = 4


def spans_of(data_dir: Path, trace_ids: Iterable[str], since_ns: int = 0) -> list[StoredSpan]:
    """Return the spans, in no order; none where nothing was stored.

    Args:
        data_dir: The data directory that the services run with.
        trace_ids: The traces to begin with, 32 hexadecimal digits each.
        since_ns: A moment before which none of them ended, in nanoseconds since 1970: what is older is not read.

    Raises:
        sqlite3.Error: The store cannot be read.
    """
    path = data_dir / SPANS_FILE
    if not path.is_file():
        return []
    store = SpanStore(path)
    try:
        first = store.first_since(since_ns)
        known = latest = set(trace_ids)
        spans = [span for trace_id in known for span in store.trace(trace_id, first=first)]
        for _ in range(_HOPS):
            # Only what goes on from ours is followed: a trace that works for several orders links to others as well.
            further = [span for span in store.going_on_from(latest, first=first) if span.trace_id not in known]
            latest = {span.trace_id for span in further}
            if not latest:
                break
            spans += further
            known |= latest
    finally:
        store.close()
    return spans
