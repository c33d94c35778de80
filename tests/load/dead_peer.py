"""The only replica of a service is killed and started again: how soon callers are served, and what became of orders."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import grpc
import httpx

from tests.failure.process import Part
from tests.load.callers import Callers, calling
from tests.load.ending import ending
from tests.load.fleet import Fleet, ready

# One of each; the gateway is what the others are reached through.
COUNTS = dict.fromkeys(("tax", "payment", "notify", "order", "gateway"), 1)
_SERVICES = ("tax", "payment", "notify", "order")

BACK_SECONDS = 1.0

# After that long the pauses between attempts to connect no longer grow (chassis/channel.py).
_AWAY_SECONDS = 5.0

_ASK_SECONDS = 0.02
# It only says that callers are never served again.
_LONGEST_SECONDS = 60.0

_WORKERS = 6
_PAUSE_SECONDS = 0.08

Ask = Callable[[], Awaitable[object]]


async def dead_peer(fleet: Fleet, times: int) -> dict[str, object]:
    """Kill each service so many times under load, and return the figures."""
    await ready(fleet)
    back: dict[str, list[float]] = {name: [] for name in _SERVICES}
    away: list[tuple[float, float]] = []
    async with calling(fleet, "dead", workers=_WORKERS, pause_seconds=_PAUSE_SECONDS) as callers:
        asks = await _asks(callers)
        for _ in range(times):
            for name, ask in asks.items():
                (part,) = fleet.replicas[name]
                killed = time.monotonic()
                back[name].append(await _seconds_until_back(part, ask, callers))
                away.append((killed, time.monotonic() + BACK_SECONDS))
                sys.stderr.write(f"{name} was back after {back[name][-1]:.2f} s\n")
                await callers.rest.all_ready()
                await asyncio.sleep(BACK_SECONDS)
    # While the only replica is away calls fail, as they must; none may before, or once it is back.
    late = [each for each in callers.seen.failed if not any(begin <= each.ended <= end for begin, end in away)]
    in_time = all(seconds <= BACK_SECONDS for each in back.values() for seconds in each)
    return {
        "back_seconds": {name: [round(seconds, 2) for seconds in each] for name, each in back.items()},
        "failed_otherwise": [str(call) for call in late[:20]],
        **await ending(fleet, callers, holds=in_time and not late),
    }


async def _asks(callers: Callers) -> Mapping[str, Ask]:
    """Return a call that only this service can answer, by its name."""
    order_id = await callers.place()
    return {
        "tax": partial(callers.rest_tax, order_id),
        "payment": partial(callers.rest_payments, order_id),
        "notify": partial(callers.rest_mails, order_id),
        "order": partial(callers.get, order_id),
    }


async def _seconds_until_back(part: Part, ask: Ask, callers: Callers) -> float:
    """Kill the part, start it again, and return the seconds from when it takes calls until one was answered.

    Raises:
        AssertionError: None was.
    """
    await part.kill()
    await asyncio.sleep(_AWAY_SECONDS)
    asking = asyncio.create_task(_answered_at(ask))
    await part.start()
    listens = time.monotonic()
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            answered = await asking
    except TimeoutError:
        said = await callers.rest.said()
        raise AssertionError(f"{part.name} was called no more; the gateways say {said}") from None
    # Its word that it listens may be read a moment after the first call was answered.
    return max(0.0, answered - listens)


async def _answered_at(ask: Ask) -> float:
    while True:
        try:
            await ask()
        except (grpc.aio.AioRpcError, httpx.HTTPError, AssertionError):
            await asyncio.sleep(_ASK_SECONDS)
        else:
            return time.monotonic()
