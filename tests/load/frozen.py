"""Replicas that stand still with all their connections open: calls go to the others, and none is lost."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2

from tests.failure.process import Part
from tests.load.callers import Call, calling, our_channel
from tests.load.ending import ending
from tests.load.fleet import Fleet, ready

# The gateway is not among them: which gateway a client calls is for the balancer before it to decide.
SERVICES = ("tax", "payment", "notify", "order")

EJECTED_SECONDS = 3.0

# Twice as long as may be needed to notice: the second half shows that nobody calls it any more.
_FROZEN_SECONDS = 2 * EJECTED_SECONDS

# Those who look call as often as this, and are answered within milliseconds: what takes so long was held up.
_LOOK_SECONDS = 0.05
_HELD_UP_SECONDS = 1.0

# It only says that the replica is never used again.
_USED_AGAIN_SECONDS = 60.0

# The longest pause between two attempts to connect, and what was held up is done.
_SETTLE_SECONDS = 2.0

# Those who are held up call nobody else meanwhile: there are as many as leaves a load all the same.
_WORKERS = 24
_PAUSE_SECONDS = 1.0

_GIVEN_UP_SECONDS = 15.0

# By name and not by stub, whose methods have no types.
_CHECK = "/grpc.health.v1.Health/Check"
_ENCODE, _DECODE = health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString


@dataclass(frozen=True, slots=True)
class Freeze:
    """A replica that stood still.

    Attributes:
        name: The replica.
        began: Monotonic seconds.
        ended: Likewise.
        used_again: Seconds from then until it had answered a call.
        looks: Questions of a channel of ours after the health of the service, which are never repeated.
    """

    name: str
    began: float
    ended: float
    used_again: float
    looks: list[Call]

    @property
    def last_met(self) -> Call | None:
        """Return the last question to end that had met the replica, or may have; None where none had."""
        met = [look for look in self.looks if look.failure or look.seconds > _HELD_UP_SECONDS]
        return max(met, key=lambda look: look.ended, default=None)

    @property
    def ejected(self) -> float:
        """Return the seconds from the freeze until no question was left that had met the replica."""
        return 0.0 if self.last_met is None else self.last_met.ended - self.began

    def figures(self, calls: list[Call]) -> dict[str, object]:
        """Return what was seen of it, by those who looked and by clients."""
        during = [call for call in calls if call.ended > self.began and call.began < self.ended]
        return {
            "ejected_seconds": round(self.ejected, 2),
            "last_met": f"{self.last_met}",
            "used_again_seconds": round(self.used_again, 2),
            "calls": len(during),
            "longest_answer_seconds": round(max(call.seconds for call in during), 2),
        }


async def frozen(fleet: Fleet) -> dict[str, object]:
    """Freeze every replica of every service for a while, one after the other, and return the figures."""
    await ready(fleet)
    freezes: list[Freeze] = []
    async with calling(fleet, "frozen", workers=_WORKERS, pause_seconds=_PAUSE_SECONDS) as callers:
        for service in SERVICES:
            for number, part in enumerate(fleet.replicas[service]):
                await asyncio.sleep(_SETTLE_SECONDS)
                freezes.append(await _freeze(fleet, service, number, part))
                sys.stderr.write(f"{part.name}: {freezes[-1].figures(callers.seen.calls)}\n")
        await asyncio.sleep(_SETTLE_SECONDS)
    failed = callers.seen.failed
    in_time = all(each.ejected <= EJECTED_SECONDS for each in freezes)
    return {
        "frozen": {each.name: each.figures(callers.seen.calls) for each in freezes},
        "failures": [str(call) for call in failed[:20]],
        **await ending(fleet, callers, holds=not failed and in_time),
    }


async def _freeze(fleet: Fleet, service: str, number: int, part: Part) -> Freeze:
    async with _looking(fleet.target(service)) as looks:
        await asyncio.sleep(_SETTLE_SECONDS)
        began = time.monotonic()
        part.freeze()
        await asyncio.sleep(_FROZEN_SECONDS)
        part.thaw()
        ended = time.monotonic()
    # What it was asked before the freeze, it answers now to nobody: calls on new connections are meant.
    await asyncio.sleep(_LOOK_SECONDS)
    before = (await fleet.calls_answered(service))[number]
    async with asyncio.timeout(_USED_AGAIN_SECONDS):
        while (await fleet.calls_answered(service))[number] == before:  # noqa: ASYNC110  (it is another process)
            await asyncio.sleep(_LOOK_SECONDS)
    return Freeze(part.name, began, ended, time.monotonic() - ended, looks)


@asynccontextmanager
async def _looking(target: str) -> AsyncIterator[list[Call]]:
    """Ask for the health of a service again and again, without waiting for answers, while the context is open.

    What is found is complete once the context has closed.
    """
    looks: list[Call] = []
    async with our_channel(target) as channel:
        check = channel.bare.unary_unary(_CHECK, _ENCODE, _DECODE)

        async def look() -> None:
            began, failure = time.monotonic(), ""
            try:
                await check(health_pb2.HealthCheckRequest(), timeout=_GIVEN_UP_SECONDS)
            except grpc.aio.AioRpcError as error:
                failure = error.code().name
            looks.append(Call("look", began, time.monotonic(), failure))

        async def look_again_and_again() -> None:
            async with asyncio.TaskGroup() as asked:
                while not over.is_set():
                    asked.create_task(look())
                    await asyncio.sleep(_LOOK_SECONDS)

        over = asyncio.Event()
        looking = asyncio.create_task(look_again_and_again())
        try:
            yield looks
        finally:
            over.set()
            await looking
