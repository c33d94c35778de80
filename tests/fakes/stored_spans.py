"""Finished spans as the span store returns them, with short ids."""

from chassis.telemetry.spans import AttributeValue
from chassis.telemetry.store import StoredSpan

MILLISECOND = 1_000_000


def stored_span(
    trace: str,
    span: str,
    parent: str = "",
    *,
    start: int = 0,
    end: int = 1,
    service: str = "order",
    name: str = "work",
    kind: str = "internal",
    links: tuple[tuple[str, str], ...] = (),
    attributes: dict[str, AttributeValue] | None = None,
    failed: str = "",
) -> StoredSpan:
    """Return a span that ran from `start` to `end`, in milliseconds."""
    return StoredSpan(
        trace_id=trace,
        span_id=span,
        parent_id=parent,
        service=service,
        name=name,
        kind=kind,
        start_ns=start * MILLISECOND,
        end_ns=end * MILLISECOND,
        attributes=attributes or {},
        links=links,
        status="error" if failed else "unset",
        status_message=failed,
    )
