"""A process of `serve order --workers 2` is killed under load: the other one serves on, and it is started again."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass

from tests.failure.process import Part, children_of
from tests.load.callers import Callers, calling
from tests.load.ending import ending
from tests.load.fleet import Fleet, ready

COUNTS = dict.fromkeys(("tax", "payment", "notify", "order", "gateway"), 1)
PROCESSES = 2
OPTIONS = {"order": ("--workers", f"{PROCESSES}")}

# Half a second's pause, and a start: some four seconds of CPU, for which the load competes.
AGAIN_SECONDS = 30.0

# It only says that something never happens.
_LONGEST_SECONDS = 60.0
_LOOK_SECONDS = 0.02

# The load goes on between two kills.
_STEADY_SECONDS = 3.0

_WORKERS = 6
_PAUSE_SECONDS = 0.08


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that was killed.

    Attributes:
        paid: Seconds from then until an order that was placed afterwards was paid.
        again: Seconds from then until another one served in its place.
    """

    paid: float
    again: float


async def workers(fleet: Fleet, times: int) -> dict[str, object]:
    """Kill each process of the order service so many times under load, and return the figures."""
    await ready(fleet)
    (part,) = fleet.replicas["order"]
    kills: list[Kill] = []
    async with calling(fleet, "workers", workers=_WORKERS, pause_seconds=_PAUSE_SECONDS) as callers:
        for _ in range(times):
            for pid in children_of(part.pid):
                await asyncio.sleep(_STEADY_SECONDS)
                kills.append(await _kill(part, pid, callers))
                sys.stderr.write(
                    f"an order was paid after {kills[-1].paid:.2f} s, {kills[-1].again:.2f} s: started again\n"
                )
        await asyncio.sleep(_STEADY_SECONDS)
    failed = callers.seen.failed
    in_time = all(each.again <= AGAIN_SECONDS for each in kills)
    return {
        "paid_seconds": [round(each.paid, 2) for each in kills],
        "started_again_seconds": [round(each.again, 2) for each in kills],
        "failures": [str(call) for call in failed[:20]],
        **await ending(fleet, callers, holds=in_time and not failed),
    }


async def _kill(part: Part, pid: int, callers: Callers) -> Kill:
    served, killed = _served(part), time.monotonic()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(_LONGEST_SECONDS):
        paid = await callers.until_paid() - killed
        while _served(part) == served:  # noqa: ASYNC110  (it is another process)
            await asyncio.sleep(_LOOK_SECONDS)
    return Kill(paid, time.monotonic() - killed)


def _served(part: Part) -> int:
    """Return how often the supervisor has said that a process of its serves."""
    return part.log.read_text().count('"process.serves"')
