"""Running a service until it is told to stop, alone in its process or beside others in one."""

import asyncio
import contextvars
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import chassis.process
from chassis import deadline
from chassis.logs import configure, log_defect
from chassis.telemetry.setup import Telemetry, start_telemetry

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_STOPPING = (signal.SIGTERM, signal.SIGINT)

Running = AbstractAsyncContextManager[str]
"""A service while it runs: entering starts it and yields the address it listens on, leaving stops it in good order."""


class MustRestart(Exception):
    """The process cannot go on and must end, to be started again by whoever supervises it; the message says why."""


async def until_stopped(*services: Running, told: Callable[[], Awaitable[object]] | None = None) -> None:
    """Start the services in order, wait for SIGTERM or SIGINT, stop them in reverse order.

    A second signal ends the process at once: whoever sends it does not want to wait for calls in flight.

    Args:
        services: What runs.
        told: Waits for whatever else tells the process to stop; together with a signal it counts as one.

    Raises:
        MustRestart: A service cannot go on; all of them have stopped.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin_to_stop() -> None:
        stop.set()
        for name in _STOPPING:
            loop.remove_signal_handler(name)
            signal.signal(name, signal.SIG_DFL)

    for name in _STOPPING:
        loop.add_signal_handler(name, begin_to_stop)
    listening = asyncio.create_task(_set_when(told, stop), name="until told to stop") if told is not None else None
    try:
        await _nested(list(services), stop)
    finally:
        if listening is not None:
            listening.cancel()


async def _set_when(told: Callable[[], Awaitable[object]], stop: asyncio.Event) -> None:
    await told()
    stop.set()


def run_alone(
    name: str, data_dir: Path, otlp_endpoint: str, metrics_address: str, running: Callable[[Telemetry], Running]
) -> None:
    """Run one service in a process of its own until it is told to stop.

    Args:
        name: Of the service, in logs, spans and metrics.
        data_dir: Where the span store lies.
        otlp_endpoint: The collector; empty exports nothing.
        metrics_address: Where Prometheus reads the metrics; empty for nowhere.
        running: The service, given what it records with.

    Raises:
        SystemExit: It has to start again; with an exit code that a supervisor takes for failure.
    """
    configure(name)
    telemetry = start_telemetry(name, data_dir, otlp_endpoint, metrics_address)
    try:
        chassis.process.run(until_stopped(running(telemetry)))
    except MustRestart as error:
        raise SystemExit(str(error)) from None
    finally:
        telemetry.shutdown()


async def _nested(services: list[Running], stop: asyncio.Event) -> None:
    if not services:
        chassis.process.settle()
        await stop.wait()
        return
    async with services[0]:
        await _nested(services[1:], stop)


class Tasks:
    """Work that outlives the call that began it: kept alive, logged when it fails, waited for at the end."""

    def __init__(self) -> None:
        # A dict for its order: what began first is ended first, in every run of a simulated world.
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Begin the work and return its task. It goes on in the caller's trace, but not under the caller's deadline."""
        context = contextvars.copy_context()
        context.run(deadline.detach)
        task = asyncio.create_task(work, name=name, context=context)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    async def close(self, seconds: float) -> None:
        """Wait for the work at most that long, then cancel what is left; all of it can be resumed from the database."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log_defect(_logger, "task.defect", error, task=task.get_name())
