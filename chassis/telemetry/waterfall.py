"""Spans of several traces as one tree on one time line. Pure: reads nothing, draws nothing."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from chassis.telemetry.conventions import ATTEMPT, OUTCOME
from chassis.telemetry.store import StoredSpan

# Where nothing runs (a retry is waited for, say), the time line is cut to this share of the busy time.
_LONGEST_GAP_SHARE = 0.05

# Outcomes that nobody needs to be told of: the work was done, in the way in which it is done as a rule.
_AS_USUAL = frozenset({"", "done", "sent", "delivered", "avatax", "succeeded"})

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One span in its place.

    Attributes:
        span: The span.
        branches: For each level above the span and its own: whether a further sibling follows there. Empty for a root.
        linked: Whether it hangs there by a link, being the beginning of another trace.
    """

    span: StoredSpan
    branches: tuple[bool, ...]
    linked: bool

    @property
    def marks(self) -> tuple[str, ...]:
        """Return what is worth a look: how it ended, unless as usual, and which try it was, unless the first."""
        outcome, attempt = str(self.span.attributes.get(OUTCOME, "")), self.span.attributes.get(ATTEMPT, 1)
        ended = () if outcome in _AS_USUAL else (outcome.replace("_", " "),)
        return (*ended, f"attempt {attempt}") if attempt != 1 else ended


def rows(spans: Sequence[StoredSpan]) -> list[Row]:
    """Return the spans as a tree, depth first, earliest first.

    A span whose parent is not among them (its caller is outside the mesh, or its parent was not stored) hangs under the
    span that it links to, or else that another span of its trace links to: a webhook is told to be about an order
    where it is read. What links to nothing is a root.
    """
    known = {_key(span): span for span in spans}
    children: dict[_Key, list[tuple[StoredSpan, bool]]] = defaultdict(list)
    roots: list[StoredSpan] = []
    in_order = sorted(spans, key=lambda span: (span.start_ns, -span.end_ns))
    own = {_key(span): target for span in in_order if (target := _target(span, known)) is not None}
    of_trace = {trace_id: target for (trace_id, _), target in reversed(own.items())}
    for span in in_order:
        parent = (span.trace_id, span.parent_id)
        target = own.get(_key(span)) or of_trace.get(span.trace_id)
        if parent in known:
            children[parent].append((span, False))
        elif target is not None:
            children[target].append((span, True))
        else:
            roots.append(span)
    found: list[Row] = []
    placed: set[_Key] = set()
    # Traces that link to each other in a circle have no root; what is left over begins at its earliest span.
    for root in [*roots, *known.values()]:
        if _key(root) not in placed:
            found += _walk(root, (), children, placed, linked=False)
    return found


def _walk(
    span: StoredSpan,
    branches: tuple[bool, ...],
    children: dict[_Key, list[tuple[StoredSpan, bool]]],
    placed: set[_Key],
    *,
    linked: bool,
) -> Iterator[Row]:
    placed.add(_key(span))
    yield Row(span, branches, linked)
    below = [(child, by_link) for child, by_link in children[_key(span)] if _key(child) not in placed]
    for position, (child, by_link) in enumerate(below):
        more_follow = position < len(below) - 1
        yield from _walk(child, (*branches, more_follow), children, placed, linked=by_link)


def _target(span: StoredSpan, known: Container[_Key]) -> _Key | None:
    """Return the first of the other traces' spans that the span links to and that are there."""
    return next((link for link in span.links if link in known and link[0] != span.trace_id), None)


def _key(span: StoredSpan) -> _Key:
    return (span.trace_id, span.span_id)


class TimeLine:
    """Maps times to a line on which long idle gaps are cut short.

    Args:
        spans: All that stand on it; at least one.
    """

    def __init__(self, spans: Sequence[StoredSpan]) -> None:
        busy = _merged(spans)
        longest_gap = _LONGEST_GAP_SHARE * sum(end - start for start, end in busy)
        self._starts: list[int] = []
        self._offsets: list[float] = []
        offset = 0.0
        before = busy[0][0]
        for start, end in busy:
            offset += min(start - before, longest_gap)
            self._starts.append(start)
            self._offsets.append(offset)
            offset += end - start
            before = end
        self._length = offset or 1.0

    @property
    def start_ns(self) -> int:
        """Return when the first span began."""
        return self._starts[0]

    def position(self, time_ns: int) -> float:
        """Return where a moment at which a span ran lies, from 0.0 to 1.0."""
        index = bisect_right(self._starts, time_ns) - 1
        return (self._offsets[index] + time_ns - self._starts[index]) / self._length


def _merged(spans: Sequence[StoredSpan]) -> list[tuple[int, int]]:
    """Return the stretches of time in which at least one span ran."""
    stretches: list[tuple[int, int]] = []
    for start, end in sorted((span.start_ns, span.end_ns) for span in spans):
        if stretches and start <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]))
        else:
            stretches.append((start, end))
    return stretches
