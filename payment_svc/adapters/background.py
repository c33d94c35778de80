"""Work that nobody waits for, in a trace of its own that links back to what caused it."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from chassis.service import Tasks
from chassis.telemetry import spans

T = TypeVar("T")


class Background:
    """Starts such work.

    Args:
        tasks: Keeps it going.
        tracer: Makes its span.
    """

    def __init__(self, tasks: Tasks, tracer: spans.Tracer) -> None:
        self._tasks = tasks
        self._tracer = tracer

    def start(self, work: Coroutine[object, object, T], name: str, cause: str = "") -> asyncio.Task[T]:
        """Begin the work, linked to the span that starts it, which goes on from the same, and to what caused it."""
        span = spans.current()
        spans.goes_on_from((cause,))
        links = (None if span is None else span.context(), spans.SpanContext.parse(cause))
        return self._tasks.start(self._apart(work, name, tuple(link for link in links if link is not None)), name)

    async def _apart(self, work: Coroutine[object, object, T], name: str, links: tuple[spans.SpanContext, ...]) -> T:
        with self._tracer.span(name, "consumer", parent=None, links=links):
            return await work
