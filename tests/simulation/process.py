"""Processes that die: tasks of one loop that share a fate, told apart by a context variable."""

import asyncio
import contextvars
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, TypeVar

from chassis import deadline

T = TypeVar("T")

# Timers go off so much too early, and of two that waited for the rest of it neither would let time pass for the other.
_EARLY_SECONDS = 1e-6


class Crash(BaseException):
    """The process is dead from here on. No product code catches it."""


class Process:
    """One life of one replica of one service.

    Attributes:
        name: "order/1#3": service, replica, life.
        service: "order".
        alive: Whether it runs.
        died: Set once it does not.
        servicer: What answers its calls; None until it listens.
        paused_until: The moment at which it goes on, when something holds it.
    """

    def __init__(self, service: str, name: str) -> None:
        self.service = service
        self.name = name
        self.alive = True
        self.died = asyncio.Event()
        self.servicer: Any = None
        self.paused_until = 0.0
        # In order, because the order in which tasks end must not depend on where they lie in memory.
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def spawn(self, work: Coroutine[Any, Any, T], name: str = "") -> "asyncio.Task[T]":
        """Start a task of this process."""
        context = contextvars.copy_context()
        context.run(_current.set, self)
        return asyncio.get_running_loop().create_task(work, name=name or self.name, context=context)

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Have a task die with the process."""
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def check(self) -> None:
        """End the task that calls when the process is dead."""
        if not self.alive:
            raise Crash(self.name)

    async def gate(self) -> None:
        """Wait while the process is held, and end the task that calls when it is dead."""
        self.check()
        loop = asyncio.get_running_loop()
        while (left := self.paused_until - loop.time()) > _EARLY_SECONDS:  # noqa: ASYNC110  (it may be held again)
            await asyncio.sleep(left)
        self.check()

    def kill(self) -> None:
        """End it: nothing that it does from here on reaches the world."""
        self.alive = False
        self.died.set()
        for task in list(self._tasks):
            task.cancel()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # told where the task was started; the loop need not complain as well


_current: ContextVar[Process | None] = ContextVar("process", default=None)


def current() -> Process | None:
    """Return the process whose code runs; None for the world outside of all."""
    return _current.get()


def outside() -> contextvars.Context:
    """Return a context that belongs to no process."""
    context = contextvars.copy_context()
    context.run(_current.set, None)
    context.run(deadline.detach)
    return context


def make_task(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, T],
    *,
    context: contextvars.Context | None = None,
) -> "asyncio.Task[T]":
    """Make tasks that belong to the process that starts them: the loop's task factory."""
    task = asyncio.Task(work, loop=loop, context=context)
    process = current() if context is None else context.get(_current)
    if process is not None:
        process.adopt(task)
    return task
