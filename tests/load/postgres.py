"""PostgreSQL is killed under load and comes back: how soon orders are paid again, and that none was lost."""

import asyncio
import sys
import time

from tests.fakes.postgres_server import PostgresServer
from tests.load.callers import calling
from tests.load.ending import ending
from tests.load.fleet import Fleet, ready

BACK_SECONDS = 5.0

# At once, as a supervisor starts it again, and after longer than any pause between tries of ours.
_AWAY_SECONDS = (0.0, 5.0)

# The load goes on for a while before, and after everything is back.
_STEADY_SECONDS = 5.0

# It only says that orders are never paid again.
_LONGEST_SECONDS = 120.0

_WORKERS = 6
_PAUSE_SECONDS = 0.08


async def postgres(fleet: Fleet, server: PostgresServer, times: int) -> dict[str, object]:
    """Kill PostgreSQL so many times under load in each of two ways, and return the figures."""
    await ready(fleet)
    back: list[float] = []
    away: list[tuple[float, float]] = []
    async with calling(fleet, "postgres", workers=_WORKERS, pause_seconds=_PAUSE_SECONDS) as callers:
        for seconds in _AWAY_SECONDS * times:
            await asyncio.sleep(_STEADY_SECONDS)
            killed = time.monotonic()
            await asyncio.to_thread(server.outage, seconds)
            returned = time.monotonic()
            async with asyncio.timeout(_LONGEST_SECONDS):
                back.append(await callers.until_paid() - returned)
            away.append((killed, returned + BACK_SECONDS))
            sys.stderr.write(f"away for {returned - killed:.2f} s, an order was paid after {back[-1]:.2f} s\n")
        await asyncio.sleep(_STEADY_SECONDS)
    late = [each for each in callers.seen.failed if not any(begin <= each.ended <= end for begin, end in away)]
    return {
        "away_seconds": [round(end - begin - BACK_SECONDS, 2) for begin, end in away],
        "back_seconds": [round(seconds, 2) for seconds in back],
        "failed_otherwise": [str(call) for call in late[:20]],
        **await ending(fleet, callers, holds=max(back) <= BACK_SECONDS and not late),
    }
