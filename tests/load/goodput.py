"""Three times as many orders as there is room for: how many are paid for all the same, and how soon the others hear.

The product has one processor and the client another, where there are two; the providers and PostgreSQL have both. What
is behind the order service has the weight that deploy/ gives it. How many there is room for is found out with a number
of orders in flight; then as many a second are sent, and three times as many, whatever becomes of them.

Where others want the processors too, orders a second say what they left, and orders per second of processor time what
the product made of it: what it gets done on a processor of its own.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from bench.topology import cpu_seconds
from tests.fakes.postgres_server import PostgresServer
from tests.load.fleet import REPLICATED, Fleet, ready, running_fleet
from tests.load.offered import End, Offer, OverGrpc, OverRest, Place, closed, opened, percentile

# What has to be shown.
_LEAST_OF_ONCE = 0.9
_REFUSED_MS = 50.0

_TIMES = 3.0

# Gateway and order service have three times the weight of what is behind them, as deploy/ has it: 1,024
# at nice 0, 335 at nice 5.
_BEHIND = ("tax", "payment", "notify")
_BEHIND_NICE = 5

# So many in flight are tried for the peak. As many as the last are never refused; fewer leave processors idle.
_IN_FLIGHT = (16, 32, 64)

# Several times as long as an order takes when there are too many of them, and what of it does not count: until then an
# empty mesh fills up.
_SLICE_SECONDS = 12.0
_FILLING = 1 / 3

_SETTLE_SECONDS = 2.0
_LOOK_SECONDS = 0.05

_CHECK = "/grpc.health.v1.Health/Check"


@dataclass(slots=True)
class Slices:
    """All slices of one kind.

    Attributes:
        offers: One each.
        cpu_seconds: Of the services, until all of it was answered.
        idle_ms: How long a service that has nothing to do took to answer meanwhile.
    """

    offers: list[Offer] = field(default_factory=list)
    cpu_seconds: float = 0.0
    idle_ms: list[float] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """Return how many orders a second were paid for once the mesh was full."""
        return sum(map(_paid_per_second, self.offers)) / len(self.offers)

    @property
    def paid_per_cpu_second(self) -> float:
        """Return how many orders were paid for with a second of the services' processor time."""
        return len(self.took(End.PAID)) / self.cpu_seconds

    def took(self, end: End) -> list[float]:
        """Return how long the orders took that ended so, in milliseconds."""
        return [call.milliseconds for offer in self.offers for call in offer.calls if call.end is end]

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        calls = [call for offer in self.offers for call in offer.calls]
        return {
            "offered_per_second": round(len(calls) / sum(offer.seconds for offer in self.offers), 1),
            "goodput_per_second": round(self.goodput, 1),
            "goodput_per_cpu_second": round(self.paid_per_cpu_second, 1),
            **{end.value: len(self.took(end)) for end in End},
            "paid_ms": _spread(self.took(End.PAID)),
            "refused_ms": _spread(self.took(End.REFUSED)),
            "idle_service_ms": _spread(self.idle_ms),
            "client_late_ms": _spread([ms for offer in self.offers for ms in offer.late_ms]),
            "went_wrong": [call.words for call in calls if call.end is End.WRONG][:5],
        }


def _paid_per_second(offer: Offer) -> float:
    counted = (1 - _FILLING) * offer.seconds
    return offer.paid_between(offer.began + offer.seconds - counted, offer.began + offer.seconds) / counted


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {f"p{hundredth}": round(percentile(values, hundredth), 1) for hundredth in (50, 95, 99)}


async def goodput(folder: Path, server: PostgresServer, slices: int, beside: Sequence[str] = ()) -> dict[str, object]:
    """Offer orders over gRPC and over REST, and return the figures of both.

    Args:
        folder: Where data and logs go.
        server: What the services keep their rows in.
        slices: How often the peak and three times as much are offered, in turns.
        beside: Which parts have the client's processor instead of the one that all others share.
    """
    async with _apart(folder, server, beside) as (fleet, idle):
        async with OverGrpc(fleet.addresses("order")[0]) as client:
            over_grpc = await _measured("gRPC", client.place, fleet, idle, slices)
        async with OverRest(fleet.addresses("gateway")[0]) as rest:
            over_rest = await _measured("REST", rest.place, fleet, idle, slices)
        defects = fleet.defects()
    return {
        "grpc": over_grpc,
        "rest": over_rest,
        "defects": defects[:5],
        "holds": bool(over_grpc["holds"] and over_rest["holds"] and not defects),
    }


async def _measured(name: str, place: Place, fleet: Fleet, idle: str, slices: int) -> dict[str, object]:
    await closed(place, f"{name}-warm", _IN_FLIGHT[0], _SLICE_SECONDS)
    steps, once, over = {number: Slices() for number in _IN_FLIGHT}, Slices(), Slices()
    for turn in range(slices):
        # Of what there was just now: other work on the machine takes more at one time and less at another.
        there_was = 0.0
        for number, step in steps.items():
            async with _counted(fleet, step):
                step.offers.append(await closed(place, f"{name}-{number}-{turn}", number, _SLICE_SECONDS))
            there_was = max(there_was, _paid_per_second(step.offers[-1]))
        async with _counted(fleet, once):
            once.offers.append(await opened(place, f"{name}-once-{turn}", there_was, _SLICE_SECONDS))
        async with _counted(fleet, over), _looking_at(idle, over.idle_ms):
            over.offers.append(await opened(place, f"{name}-over-{turn}", _TIMES * there_was, _SLICE_SECONDS))
        paid, paid_once = _paid_per_second(over.offers[-1]), _paid_per_second(once.offers[-1])
        sys.stderr.write(
            f"{name}: {there_was:.1f} orders/s at most in flight, {paid_once:.1f} of as many sent, "
            f"{paid:.1f} of {_TIMES * there_was:.1f}\n"
        )
    in_flight = max(steps, key=lambda number: steps[number].goodput)
    refused = over.took(End.REFUSED)
    by_cpu = _part(over.paid_per_cpu_second, once.paid_per_cpu_second)
    return {
        "in_flight_at_most": in_flight,
        "goodput_per_second_by_in_flight": {str(number): round(step.goodput, 1) for number, step in steps.items()},
        "in_flight": steps[in_flight].as_json(),
        "once": once.as_json(),
        "three_times": over.as_json(),
        "goodput_of_once": _part(over.goodput, once.goodput),
        "goodput_of_once_by_cpu": by_cpu,
        "goodput_of_in_flight": _part(over.goodput, steps[in_flight].goodput),
        "goodput_of_in_flight_by_cpu": _part(over.paid_per_cpu_second, steps[in_flight].paid_per_cpu_second),
        "holds": by_cpu >= _LEAST_OF_ONCE and bool(refused) and percentile(refused, 99) < _REFUSED_MS,
    }


def _part(value: float, of: float) -> float:
    return round(value / of, 3) if of else 0.0


@asynccontextmanager
async def _counted(fleet: Fleet, slices: Slices) -> AsyncIterator[None]:
    """Add the processor time that the services use while the context is open, and until what is left over is done."""
    services = [part for name in REPLICATED for part in fleet.replicas[name]]
    before = sum(cpu_seconds(part.pid) for part in services)
    yield
    await asyncio.sleep(_SETTLE_SECONDS)
    slices.cpu_seconds += sum(cpu_seconds(part.pid) for part in services) - before


@asynccontextmanager
async def _looking_at(address: str, took_ms: list[float]) -> AsyncIterator[None]:
    """Ask a service for its health again and again while the context is open."""
    async with grpc.aio.insecure_channel(address) as channel:
        check: Callable[..., grpc.aio.UnaryUnaryCall[bytes, bytes]] = channel.unary_unary(_CHECK, None, None)
        asked = health_pb2.HealthCheckRequest().SerializeToString()

        async def look() -> None:
            while True:
                began = time.monotonic()
                await check(asked)
                took_ms.append(1000 * (time.monotonic() - began))
                await asyncio.sleep(_LOOK_SECONDS)

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()


@asynccontextmanager
async def _apart(folder: Path, server: PostgresServer, beside: Sequence[str]) -> AsyncIterator[tuple[Fleet, str]]:
    """Run one replica of each part and an idle service on one processor, and leave us the other, and what is beside us.

    Yields:
        The fleet, and where the idle service listens.
    """
    every = sorted(os.sched_getaffinity(0))
    ours, theirs = {every[0]}, {every[-1]}
    counts = dict.fromkeys(("tax", "payment", "notify", "order", "gateway"), 1)
    # Whatever is started runs where its parent does.
    _move(os.getpid(), theirs)
    idle = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.load.idle"), stdout=asyncio.subprocess.PIPE
    )
    assert idle.stdout is not None
    try:
        address = (await idle.stdout.readline()).decode().strip()
        async with running_fleet(folder, server.create_database(), counts) as fleet:
            _move(fleet.sandbox.pid, {*ours, *theirs})
            for part in (part for name in _BEHIND for part in fleet.replicas[name]):
                _give_way(part.pid)
            for part in (part for name in beside for part in fleet.replicas[name]):
                _move(part.pid, ours)
            _move(os.getpid(), ours)
            # Linux gives each session its share of a processor first: the client is not to wait for the product's.
            with suppress(PermissionError):
                os.setsid()
            await ready(fleet)
            yield fleet, address
    finally:
        idle.kill()
        await idle.wait()
        _move(os.getpid(), set(every))


def _move(pid: int, processors: set[int]) -> None:
    """Have all threads of a process run on these processors."""
    for thread in _threads(pid):
        os.sched_setaffinity(thread, processors)


def _give_way(pid: int) -> None:
    """Have all threads of a process, and those that they start, let others go before."""
    for thread in _threads(pid):
        os.setpriority(os.PRIO_PROCESS, thread, _BEHIND_NICE)


def _threads(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
