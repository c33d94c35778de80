"""Rolling restarts of every service under load: no client call may fail."""

import asyncio
import sys
import time
from collections.abc import Sequence

from tests.load.callers import Callers, Seen, calling
from tests.load.fleet import Fleet, ready

# What a rollout calls minReadySeconds: a new replica is left alone until clients have found it, which takes at most
# the longest pause between two attempts to connect (chassis/channel.py).
SETTLE_SECONDS = 1.5

_WORKERS = 6
_PAUSE_SECONDS = 0.02


async def restart(fleet: Fleet, services: Sequence[str], rounds: int, name: str) -> dict[str, object]:
    """Restart every replica of these services, one after the other, so many times, and return the figures."""
    await ready(fleet)
    stops: list[float] = []
    codes: set[int] = set()
    async with calling(fleet, name, workers=_WORKERS, pause_seconds=_PAUSE_SECONDS) as callers:
        for number in range(1, rounds + 1):
            for service in services:
                for part in fleet.replicas[service]:
                    began = time.monotonic()
                    codes.add(await part.stop())
                    stops.append(time.monotonic() - began)
                    await part.start()
                    await callers.rest.all_ready()
                    await asyncio.sleep(SETTLE_SECONDS)
            sys.stderr.write(f"round {number}: {callers.seen.total} calls, failed: {callers.seen.failures[:5]}\n")
    return await _figures(fleet, callers, stops, codes, {"services": list(services), "rounds": rounds})


async def _figures(
    fleet: Fleet, callers: Callers, stops: list[float], codes: set[int], what: dict[str, object]
) -> dict[str, object]:
    async with calling(fleet, "after", workers=0, pause_seconds=0) as after:
        after.seen = callers.seen
        unpaid = await after.unpaid()
    seen: Seen = callers.seen
    return {
        **what,
        "restarts": len(stops),
        "calls": seen.total,
        "failed": len(seen.failures),
        "failures": seen.failures[:20],
        "orders": len(seen.orders),
        "answered_pending": seen.pending,
        "unpaid": len(unpaid),
        "exit_codes": sorted(codes),
        "longest_stop_seconds": round(max(stops), 2),
        "longest_answer_seconds": round(seen.longest, 2),
        "defects": fleet.defects()[:5],
        "holds": not seen.failures and not unpaid and codes == {0} and not fleet.defects(),
    }
