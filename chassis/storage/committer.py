"""Group commit: everything that was asked for while the last transaction was in flight becomes the next one."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from chassis.storage.batch import BatchWriter
from chassis.storage.changes import Change, CommitUnknown, Conflict, Guard, StorageUnavailable
from chassis.storage.database import Database, Locked, Transient
from kernel.clock import Clock

T = TypeVar("T")

Observer = Callable[[int, float], object]

# One transaction of 256 changes takes some 10-20 ms: a longer one would make its first change wait for its last.
_LARGEST_BATCH = 256
_ATTEMPTS = 4
_FIRST_PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A change, or a body that wants a transaction of its own, and who waits for it."""

    work: Change | Callable[[Connection], Any]
    done: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class CommitStats:
    """What has been committed since the store was opened.

    Attributes:
        commits: Transactions.
        changes: Changes and bodies in them.
        largest_batch: The most changes that shared a transaction.
    """

    commits: int = 0
    changes: int = 0
    largest_batch: int = 0


class Committer:
    """Writes what is queued, in order, one transaction at a time. Idle, it starts at once and has no task.

    Args:
        database: Where to.
        writer: What a batch does inside its transaction.
        clock: For pauses between attempts and for the observer's seconds.
        observer: Told the size of each batch and how long it took, in seconds.
        jitter: Returns a number in [0, 1), so that replicas that collided do not collide again.
    """

    def __init__(
        self,
        database: Database,
        writer: BatchWriter,
        clock: Clock,
        observer: Observer | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.stats = CommitStats()
        self._database = database
        self._writer = writer
        self._clock = clock
        self._observer = observer
        self._jitter = jitter
        self._queue: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, work: Change | Callable[[Connection], T]) -> T:
        """Queue the work and wait for its COMMIT. A caller that is cancelled leaves its work in the queue.

        Raises:
            Conflict, StatementRefused, StorageUnavailable, CommitUnknown: As their names say.
            Exception: What a body raised; its transaction was rolled back.
        """
        if self._closed:
            raise StorageUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.append(_Waiting(work, done))
        if self._task is None:
            self._task = loop.create_task(self._drain())
        return await done

    async def close(self) -> None:
        """Refuse new work, and wait for what is queued."""
        self._closed = True
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _drain(self) -> None:
        try:
            while self._queue:
                work = self._queue[0].work
                if isinstance(work, Change):
                    await self._commit(self._next_batch())
                else:
                    await self._run_alone(work, self._queue.popleft())
        finally:
            self._task = None

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._queue and len(batch) < _LARGEST_BATCH and isinstance(self._queue[0].work, Change):
            batch.append(self._queue.popleft())
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        """Write the batch in one transaction. When that fails through a change, write them one by one to find it."""
        try:
            failed = await self._write_changes(batch)
        except Exception as error:  # noqa: BLE001  (whatever it is, it belongs to those who wait)
            if _hits_all(error):
                _fail(batch, error)
            else:
                for waiting in batch:
                    await self._commit_alone(waiting)
        else:
            for waiting, guard in zip(batch, failed, strict=True):
                _resolve(waiting, guard)

    async def _commit_alone(self, waiting: _Waiting) -> None:
        """Write one change. Also after it failed alone: against what won the race, its guards can now be checked."""
        try:
            (guard,) = await self._write_changes([waiting])
        except Exception as error:  # noqa: BLE001  (as above)
            _fail([waiting], error)
        else:
            _resolve(waiting, guard)

    async def _write_changes(self, batch: list[_Waiting]) -> list[Guard | None]:
        changes = [waiting.work for waiting in batch if isinstance(waiting.work, Change)]
        return await self._write(partial(self._writer.write, changes=changes), len(batch))

    async def _run_alone(self, body: Callable[[Connection], Any], waiting: _Waiting) -> None:
        try:
            result = await self._write(body, 1)
        except Exception as error:  # noqa: BLE001  (the body's own errors are its caller's)
            _fail([waiting], error)
        else:
            if not waiting.done.done():
                waiting.done.set_result(result)

    async def _write(self, body: Callable[[Connection], T], size: int) -> T:
        started = self._clock.monotonic()
        result = await self._attempt(body)
        stats = self.stats
        self.stats = CommitStats(stats.commits + 1, stats.changes + size, max(stats.largest_batch, size))
        if self._observer is not None:
            # From the loop and not from here: what it may raise must not look like a failed commit.
            asyncio.get_running_loop().call_soon(self._observer, size, self._clock.monotonic() - started)
        return result

    async def _attempt(self, body: Callable[[Connection], T]) -> T:
        pause = _FIRST_PAUSE
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._database.write(body)
            except Transient:
                await self._clock.sleep(pause * (1 + self._jitter()))
                pause *= 4
        return await self._database.write(body)


def _hits_all(error: Exception) -> bool:
    """Tell whether no change of the batch can be blamed: trying them one by one would fail as often as there are."""
    return isinstance(error, StorageUnavailable | CommitUnknown) and not isinstance(error, Locked)


def _resolve(waiting: _Waiting, guard: Guard | None) -> None:
    if waiting.done.done():
        return
    if guard is None:
        waiting.done.set_result(None)
    else:
        waiting.done.set_exception(Conflict(guard))


def _fail(batch: list[_Waiting], error: Exception) -> None:
    """Tell all who wait, each with an exception of its own: a shared one would collect all their tracebacks."""
    for waiting in batch:
        if not waiting.done.done():
            own = copy(error)
            own.__cause__ = error.__cause__
            waiting.done.set_exception(own)
