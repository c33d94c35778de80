"""Rolling restarts of every service under load: no client call may fail."""

import asyncio
import sys
import time
from collections.abc import Sequence

from tests.load.callers import Callers, calling
from tests.load.ending import ending
from tests.load.fleet import Fleet, ready

# What a rollout calls minReadySeconds: a new replica is left alone until clients have found it, which takes at most
# the longest pause between two attempts to connect (chassis/channel.py).
SETTLE_SECONDS = 1.5

_WORKERS = 6
_PAUSE_SECONDS = 0.08


class Stops:
    """How the processes ended that were stopped.

    Attributes:
        seconds: How long each took.
        codes: The exit codes that there were.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.codes: set[int] = set()


async def restart(fleet: Fleet, services: Sequence[str], rounds: int) -> dict[str, object]:
    """Restart every replica of these services so many times, and return the figures.

    All services are rolled out at once, as a release of all of them is; of each, one replica after the other.
    """
    await ready(fleet)
    stops = Stops()
    async with calling(fleet, "restart", workers=_WORKERS, pause_seconds=_PAUSE_SECONDS) as callers:
        await asyncio.gather(*(_roll(fleet, service, rounds, callers, stops) for service in services))
    failed = callers.seen.failed
    return {
        "services": list(services),
        "rounds": rounds,
        "restarts": len(stops.seconds),
        "failures": [str(call) for call in failed[:20]],
        "exit_codes": sorted(stops.codes),
        "longest_stop_seconds": round(max(stops.seconds), 2),
        **await ending(fleet, callers, holds=not failed and stops.codes == {0}),
    }


async def _roll(fleet: Fleet, service: str, rounds: int, callers: Callers, stops: Stops) -> None:
    for number in range(1, rounds + 1):
        for part in fleet.replicas[service]:
            began = time.monotonic()
            stops.codes.add(await part.stop())
            stops.seconds.append(time.monotonic() - began)
            await part.start()
            await callers.rest.all_ready()
            await asyncio.sleep(SETTLE_SECONDS)
        seen = callers.seen
        sys.stderr.write(
            f"{service}, round {number}: {len(seen.calls)} calls, failed: {[*map(str, seen.failed[:3])]}\n"
        )
