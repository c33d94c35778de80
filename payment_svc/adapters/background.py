"""Work that nobody waits for: without its caller's deadline, in a trace of its own that links back to the caller's."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from chassis import deadline
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

    def start(self, work: Coroutine[object, object, T], name: str) -> asyncio.Task[T]:
        """Begin the work and return its task."""
        cause = spans.current()
        links = () if cause is None else (cause.context(),)
        return self._tasks.start(self._apart(work, name, links), name)

    async def _apart(self, work: Coroutine[object, object, T], name: str, links: tuple[spans.SpanContext, ...]) -> T:
        deadline.detach()
        with self._tracer.span(name, "consumer", parent=None, links=links):
            return await work
