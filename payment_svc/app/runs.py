"""One run per command, however many callers ask for it at the same time, and to its end though all of them leave."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Generic, Protocol, TypeVar

from kernel.errors import Refusal
from payment_svc.app.refusals import unavailable

T = TypeVar("T")

# For callers without a deadline. A run gives up on the provider long before.
_LONGEST_SECONDS = 60.0


class Starter(Protocol):
    """Starts work that outlives the call that began it."""

    def start(self, work: Coroutine[object, object, T], name: str) -> asyncio.Task[T]:
        """Begin the work and return its task."""
        ...


class Background(Protocol):
    """Starts work that nobody waits for."""

    def start(self, work: Coroutine[object, object, T], name: str, cause: str = "") -> asyncio.Task[T]:
        """Begin the work, linked to the W3C traceparent of what caused it, and return its task."""
        ...


class Runs(Generic[T]):
    """The runs of one kind of command in this process; other processes are kept apart by the database's guards.

    Args:
        tasks: Keeps the runs going.
        name: What the command is called.
        remaining: Returns the seconds that the caller still waits, and never more than its argument.
    """

    def __init__(self, tasks: Starter, name: str, remaining: Callable[[float], float]) -> None:
        self._tasks = tasks
        self._name = name
        self._remaining = remaining
        self._running: dict[Hashable, asyncio.Task[T | Refusal]] = {}

    async def share(self, key: Hashable, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Return what the run under this key comes to, beginning it when none is under way.

        Raises:
            Refusal: The run was refused; each caller hears it. Or it is still under way when the caller's time is up.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = self._tasks.start(_settled(work()), self._name)
            task.add_done_callback(lambda _: self._running.pop(key, None))
        done, _ = await asyncio.wait({task}, timeout=self._remaining(_LONGEST_SECONDS))
        if not done:
            raise unavailable("This is still under way; repeat the request to learn what it comes to.")
        result = task.result()
        if isinstance(result, Refusal):
            raise result
        return result


async def _settled(work: Coroutine[object, object, T]) -> T | Refusal:
    """Return a refusal instead of raising it: a run that is refused has not failed, even if nobody waits for it."""
    try:
        return await work
    except Refusal as refusal:
        return refusal
