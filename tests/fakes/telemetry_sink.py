"""A tracer whose spans end in a list, with a clock that a test moves."""

import random

from chassis.telemetry.spans import Span, Tracer


class RecordingSink:
    """Keeps finished spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, span: Span) -> None:
        self.spans.append(span)


class Nanoseconds:
    """A wall clock that stands still until it is told otherwise."""

    def __init__(self, now: int = 1_700_000_000_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def recording_tracer(service: str = "order", clock: Nanoseconds | None = None) -> tuple[Tracer, RecordingSink]:
    """Return a tracer and where its spans end."""
    sink = RecordingSink()
    return Tracer(service, sink, clock or Nanoseconds(), random.Random(7).getrandbits), sink
