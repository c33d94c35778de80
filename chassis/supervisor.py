"""Keeps several processes of one service going: starts them, starts again what dies, ends them in good order.

Processes are started anew and never forked: gRPC does not survive a fork (a child hung until it was killed). What a
process is stands in `Process`; `cli/workers.py` has real ones.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from kernel.clock import Clock

_logger = logging.getLogger(__name__)

# A process that died by chance is missed for half a second. One that dies at every start, because its database is away
# for instance, is tried about twice a minute, and each start costs a second of CPU.
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

# Whoever has served for that long did not die of its start: the next pause is the first one again.
STEADY_SECONDS = 60.0

# What a process that nobody supervises ends with where it cannot go on.
FAILED = 1


class Process(Protocol):
    """One process of the service, from its start on."""

    async def ready(self) -> bool:
        """Return True once it serves, False once it has ended without having done so."""
        ...

    async def ended(self) -> int:
        """Return its exit code once it has ended; below 0 for the signal that killed it."""
        ...

    def stop(self) -> None:
        """Ask it to end in good order; asking twice is asking once."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Supervisor:
    """So many processes of one service.

    Args:
        start: Starts a process, given its number from 1 on, which nobody has who lives.
        count: How many there are to be.
        clock: Paces new starts.
        ready: Told once, when all of them serve for the first time.
    """

    def __init__(
        self,
        start: Callable[[int], Awaitable[Process]],
        count: int,
        clock: Clock,
        ready: Callable[[], None],
    ) -> None:
        self._start = start
        self._count = count
        self._clock = clock
        self._ready = ready
        self._running: dict[int, Process] = {}
        self._serving: set[int] = set()
        self._changed = asyncio.Event()
        self._stopping = False
        self._announced = False
        self._code = 0

    async def run(self, stop: asyncio.Event, at_once: asyncio.Event) -> int:
        """Run until told to stop, or until nobody serves and nobody can be started; return the exit code.

        The first process starts alone: what is wrong with the settings or the database it says, and says once.

        Args:
            stop: Set when all have to end in good order: each drains as it does alone, all of them beside each other.
            at_once: Set when they have to end without that.
        """
        stopping = asyncio.create_task(stop.wait(), name="until told to stop")
        seats = [asyncio.create_task(self._keep(1), name="process 1")]
        try:
            if await self._until(1, seats, stopping):
                seats += [asyncio.create_task(self._keep(n), name=f"process {n}") for n in range(2, self._count + 1)]
                if await self._until(self._count, seats, stopping):
                    self._announced = True
                    self._ready()
                    await asyncio.wait([*seats, stopping], return_when=asyncio.FIRST_COMPLETED)
            await self._end(seats, at_once)
        finally:
            stopping.cancel()
            for process in self._running.values():
                process.kill()
        return self._code

    async def _until(self, count: int, seats: list[asyncio.Task[None]], stopping: asyncio.Task[bool]) -> bool:
        """Return True once so many serve, False once that will not be."""
        while len(self._serving) < count:
            self._changed.clear()
            changed = asyncio.create_task(self._changed.wait())
            await asyncio.wait([changed, stopping, *seats], return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if stopping.done() or any(seat.done() for seat in seats):
                return False
        return True

    async def _keep(self, number: int) -> None:
        """Have a process with this number, one after the other, until all stop or there is no use in it."""
        failures = 0
        while not self._stopping:
            began = self._clock.monotonic()
            served, code = await self._one(number)
            if self._stopping:
                self._code = self._code or _exit_code(code)
                return
            if not served and not (self._announced and self._serving):
                self._code = _exit_code(code) or FAILED
                return
            failures = 1 if self._clock.monotonic() - began >= STEADY_SECONDS else failures + 1
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS)
            _logger.error("process.ended", extra={"number": number, "exit_code": code, "again_in_seconds": pause})
            await self._clock.sleep(pause)

    async def _one(self, number: int) -> tuple[bool, int]:
        """Run one process to its end; return whether it has served, and its exit code."""
        try:
            process = await self._start(number)
        except OSError as error:  # the machine has no memory, or no place for a process more
            _logger.error("process.not_started", extra={"number": number, "reason": error.strerror or str(error)})  # noqa: TRY400  (no defect of ours)
            return False, FAILED
        self._running[number] = process
        if self._stopping:
            process.stop()
        try:
            served = await process.ready()
            if served:
                self._serving.add(number)
                self._changed.set()
                _logger.info("process.serves", extra={"number": number})
            return served, await process.ended()
        finally:
            self._serving.discard(number)
            del self._running[number]

    async def _end(self, seats: list[asyncio.Task[None]], at_once: asyncio.Event) -> None:
        """Ask all processes to end, and return once they have."""
        self._stopping = True
        for process in self._running.values():
            process.stop()
        killing = asyncio.create_task(self._kill(at_once), name="until told to end at once")
        # Whoever has no process waits to start one; that is over.
        waiting = [seat for number, seat in enumerate(seats, 1) if number not in self._running and not seat.done()]
        for seat in waiting:
            seat.cancel()
        try:
            for seat in seats:
                if seat not in waiting:
                    await seat
        finally:
            killing.cancel()

    async def _kill(self, at_once: asyncio.Event) -> None:
        await at_once.wait()
        for process in self._running.values():
            process.kill()


def _exit_code(code: int) -> int:
    """Return what the supervisor ends with for a process that has ended so: as a shell tells of signals."""
    return 128 - code if code < 0 else code
