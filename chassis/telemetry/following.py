"""The spans of some traces, and of the traces that go on from them."""

from collections.abc import Iterable
from pathlib import Path

from chassis.telemetry.setup import SPANS_FILE
from chassis.telemetry.store import SpanStore, StoredSpan

# A mail is three traces away from the order: placed, handed over, sent. One more for a delivery event.
_HOPS = 4


def spans_of(data_dir: Path, trace_ids: Iterable[str]) -> list[StoredSpan]:
    """Return the spans, in no order; none where nothing was stored.

    Args:
        data_dir: The data directory that the services run with.
        trace_ids: The traces to begin with, 32 hexadecimal digits each.

    Raises:
        sqlite3.Error: The store cannot be read.
    """
    path = data_dir / SPANS_FILE
    if not path.is_file():
        return []
    store = SpanStore(path)
    try:
        known = set(trace_ids)
        spans = [span for trace_id in known for span in store.trace(trace_id)]
        for _ in range(_HOPS):
            # A trace that works for several orders links to each; only those that come from ours are followed.
            further = [span for span in store.linked(known) if span.trace_id not in known]
            following = {span.trace_id for span in further if any(target in known for target, _ in span.links)}
            if not following:
                break
            spans += [span for span in further if span.trace_id in following]
            known |= following
    finally:
        store.close()
    return spans
