"""Ever more orders a second, up to three times what there is room for: how many are paid for, how soon the others hear.

The product has one processor; the client has another, where there are two, with the providers and PostgreSQL. What is
behind the order service has the weight that deploy/ gives it. How many there is room for is found out with a number of
orders in flight; then parts and multiples of that are sent a second, whatever becomes of them. The peak of goodput is
the most that is paid for at any of these rates.

Where others want the processors too, orders a second say what they left, and orders per second of processor time what
the product made of it: what it gets done on a processor of its own.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from bench.topology import cpu_seconds
from tests.failure.process import children_of
from tests.fakes.postgres_server import PostgresServer
from tests.load.fleet import REPLICATED, Fleet, ready, running_fleet
from tests.load.offered import End, Offer, OverGrpc, OverRest, Place, closed, opened, percentile

# What has to be shown.
_LEAST_OF_PEAK = 0.9
_REFUSED_MS = 50.0

# What is sent a second, in multiples of what there is room for. The last is what the aims are about.
_LOADS = (0.75, 1.0, 1.5, 3.0)

# Gateway and order service have three times the weight of what is behind them, as deploy/ has it: 1,024
# at nice 0, 335 at nice 5.
_BEHIND = ("tax", "payment", "notify")
_BEHIND_NICE = 5

# The most that are never refused; fewer leave the processor idle.
_IN_FLIGHT = 64

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
    await closed(place, f"{name}-warm", _IN_FLIGHT, _SLICE_SECONDS)
    in_flight, loads = Slices(), {load: Slices() for load in _LOADS}
    for turn in range(slices):
        async with _counted(fleet, in_flight):
            in_flight.offers.append(await closed(place, f"{name}-in-flight-{turn}", _IN_FLIGHT, _SLICE_SECONDS))
        # Of what there was just now: other work on the machine takes more at one time and less at another. Orders that
        # follow each other move through the mesh together and cost less than those that come as they like.
        most = _paid_per_second(in_flight.offers[-1])
        room = _paid_per_second(await opened(place, f"{name}-room-{turn}", most, _SLICE_SECONDS))
        await asyncio.sleep(_SETTLE_SECONDS)
        for load, slices_of_it in loads.items():
            async with _counted(fleet, slices_of_it), _looking_at(idle, slices_of_it.idle_ms):
                offer = await opened(place, f"{name}-{load}-{turn}", load * room, _SLICE_SECONDS)
            slices_of_it.offers.append(offer)
        paid = ", ".join(f"{_paid_per_second(each.offers[-1]):.1f} of {load} x" for load, each in loads.items())
        sys.stderr.write(f"{name}: {most:.1f} orders/s in flight, room for {room:.1f}; paid {paid}\n")
    return _judged(in_flight, loads)


def _judged(in_flight: Slices, loads: Mapping[float, Slices]) -> dict[str, object]:
    at_most = max(loads, key=lambda load: loads[load].goodput)
    peak, over = loads[at_most], loads[_LOADS[-1]]
    refused = over.took(End.REFUSED)
    of_peak = _part(over.goodput, peak.goodput)
    return {
        "in_flight": in_flight.as_json(),
        "by_load": {str(load): each.as_json() for load, each in loads.items()},
        "peak_at": at_most,
        "of_peak": of_peak,
        "of_peak_by_cpu": _part(over.paid_per_cpu_second, peak.paid_per_cpu_second),
        "of_in_flight": _part(over.goodput, in_flight.goodput),
        "of_in_flight_by_cpu": _part(over.paid_per_cpu_second, in_flight.paid_per_cpu_second),
        "holds": of_peak >= _LEAST_OF_PEAK and bool(refused) and percentile(refused, 99) < _REFUSED_MS,
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
    """Run one replica of each part and an idle service on one processor; everything else, and what is beside, has ours.

    Yields:
        The fleet, and where the idle service listens.
    """
    every = sorted(os.sched_getaffinity(0))
    ours, theirs = {every[0]}, {every[-1]}
    counts = dict.fromkeys(("tax", "payment", "notify", "order", "gateway"), 1)
    # Whatever is started runs where its parent does.
    for process in (server.process_id, *children_of(server.process_id)):
        _move(process, ours)
    _move(os.getpid(), theirs)
    idle = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.load.idle"), stdout=asyncio.subprocess.PIPE
    )
    assert idle.stdout is not None
    try:
        address = (await idle.stdout.readline()).decode().strip()
        async with running_fleet(folder, server.create_database(), counts) as fleet:
            _move(fleet.sandbox.pid, ours)
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
