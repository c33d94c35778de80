"""Where the time of an order went, as rows for a page: each span with its place in the tree and on the line."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.telemetry.store import StoredSpan
from chassis.telemetry.waterfall import TimeLine, rows

# The line is so many units wide, whatever the page makes of them; the shortest bar is still seen.
LINE_WIDTH = 1000
_NARROWEST = 3
_COLOURS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One span.

    Attributes:
        service: Who did the work.
        colour: 0 to 7, one for each service.
        name: What was done.
        depth: How many spans it is inside of.
        linked: Whether it went on later, in a trace of its own.
        failed: Whether it failed.
        why: Why it failed; empty otherwise.
        marks: What else is worth a look: "attempt 2".
        start_ms: Since the first span began.
        duration_ms: How long it took.
        x: Where its bar begins, 0 to LINE_WIDTH.
        width: Of its bar.
    """

    service: str
    colour: int
    name: str
    depth: int
    linked: bool
    failed: bool
    why: str
    marks: tuple[str, ...]
    start_ms: float
    duration_ms: float
    x: int
    width: int


def bars(spans: Sequence[StoredSpan]) -> list[Bar]:
    """Return the spans as a tree, depth first."""
    if not spans:
        return []
    line = TimeLine(spans)
    services = {name: index % _COLOURS for index, name in enumerate(dict.fromkeys(span.service for span in spans))}
    drawn = []
    for row in rows(spans):
        span = row.span
        x = round(line.position(span.start_ns) * LINE_WIDTH)
        end = round(line.position(span.end_ns) * LINE_WIDTH)
        drawn.append(
            Bar(
                service=span.service,
                colour=services[span.service],
                name=span.name,
                depth=len(row.branches),
                linked=row.linked,
                failed=span.status == "error",
                why=span.status_message,
                marks=row.marks,
                start_ms=(span.start_ns - line.start_ns) / 1e6,
                duration_ms=(span.end_ns - span.start_ns) / 1e6,
                x=min(x, LINE_WIDTH - _NARROWEST),
                width=max(end - x, _NARROWEST),
            )
        )
    return drawn
