"""One, two and four order replicas on one PostgreSQL: what an order costs, and where the limit lies.

The replicas of each case are started anew and loaded in turns, so that whatever else the machine does falls on all
cases alike. Everything else of the mesh has one process; PostgreSQL writes its log to the disk for each commit.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

from bench.load import Load, place_orders, request
from bench.topology import cpu_seconds
from chassis.channel import CHANNEL_OPTIONS, service_config
from tests.failure.process import Part
from tests.fakes.postgres_server import PostgresServer
from tests.load.fleet import Fleet, running_fleet

_WAVES = 4
_WAVE_ORDERS = 16
_TICKS = os.sysconf("SC_CLK_TCK")
_MILLI = 1000.0

# What an order may cost on four replicas that have as much to do each, in CPU of all processes.
_COST_OF_FOUR = 1.2

_SERVICE = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]


@dataclass(frozen=True, slots=True)
class Case:
    """So many replicas, so many orders at once on all of them together."""

    replicas: int
    in_flight: int

    def __str__(self) -> str:
        return f"{self.replicas} replicas, {self.in_flight} in flight"


# Three in which each replica has the same load, and the load of four on one.
ONE, TWO, FOUR, CROWDED = Case(1, 16), Case(2, 32), Case(4, 64), Case(1, 64)
CASES = (ONE, TWO, FOUR, CROWDED)


@dataclass(slots=True)
class Run:
    """What the slices of one case add up to.

    Attributes:
        orders: Orders of the slices.
        seconds: Wall-clock seconds of the slices.
        cpu: CPU seconds of the slices by part: all order replicas together are "order", this process is "load".
        latencies: Of each order, in seconds.
        written: Orders that the replicas placed in their lives, those that warmed them up too.
        commits: Transactions of the replicas in their lives.
        changes: What those wrote.
        largest_batch: The most changes in one of them.
    """

    orders: int = 0
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    written: int = 0
    commits: int = 0
    changes: int = 0
    largest_batch: int = 0

    def add(self, load: Load, cpu: Mapping[str, float]) -> None:
        """Add a slice."""
        self.orders += load.orders
        self.seconds += load.seconds
        self.latencies += load.latencies
        for name, seconds in cpu.items():
            self.cpu[name] = self.cpu.get(name, 0.0) + seconds

    def closed(self, orders: int, stores: Iterable[Mapping[str, object]]) -> None:
        """Add what the stores of a slice's replicas said when they were closed."""
        self.written += orders
        for store in stores:
            self.commits += int(str(store["commits"]))
            self.changes += int(str(store["changes"]))
            self.largest_batch = max(self.largest_batch, int(str(store["largest_batch"])))

    def per_order(self, part: str) -> float:
        """Return the CPU of a part per order, in milliseconds."""
        return self.cpu[part] * _MILLI / self.orders

    def as_json(self) -> dict[str, object]:
        """Return the figures for people and for comparing."""
        whole = sum(self.cpu.values())
        return {
            "orders": self.orders,
            "orders_per_second": round(self.orders / self.seconds, 1),
            "p50_ms": round(statistics.median(self.latencies) * _MILLI, 1),
            "p99_ms": round(statistics.quantiles(self.latencies, n=100)[98] * _MILLI, 1),
            "cores_used": round(whole / self.seconds, 2),
            "cpu_ms_per_order": round(whole * _MILLI / self.orders, 2),
            "cpu_ms_per_order_by_part": {part: round(self.per_order(part), 2) for part in self.cpu},
            "commits_per_order": round(self.commits / self.written, 3),
            "changes_per_order": round(self.changes / self.written, 2),
            "changes_per_commit": round(self.changes / self.commits, 2),
            "largest_batch": self.largest_batch,
        }


async def replicas(folder: Path, server: PostgresServer, rounds: int, slice_orders: int) -> dict[str, object]:
    """Load each case so many times in turn, and return the figures."""
    counts = {"tax": 1, "payment": 1, "notify": 1, "gateway": 1, "order": FOUR.replicas}
    # Every order buys the same: a tax that is remembered would leave out a call.
    settings = {"TAX_QUOTE_CACHE_SECONDS": "0"}
    runs = {case: Run() for case in CASES}
    async with running_fleet(folder, server.create_database(), counts, settings) as fleet:
        await _stop(fleet.replicas["order"])
        for number in range(1, rounds + 1):
            for case in CASES:
                name = f"replicas-{number}-{case.replicas}-{case.in_flight}"
                await _slice(fleet, server, runs[case], case, name, slice_orders)
                sys.stderr.write(f"round {number}: {case}: {runs[case].orders / runs[case].seconds:.0f} orders/s\n")
        defects = fleet.defects()
    return _figures(runs, defects)


async def _slice(fleet: Fleet, server: PostgresServer, run: Run, case: Case, name: str, orders: int) -> None:
    """Start the replicas, warm them up, load them, stop them, and add what was seen."""
    used = fleet.replicas["order"][: case.replicas]
    said = [part.log.stat().st_size for part in used]
    await asyncio.gather(*(part.start() for part in used))
    target = f"ipv4:///{','.join(fleet.addresses('order')[: case.replicas])}"
    channel = _balanced(target)
    await _warm_up(channel, name)
    before = _cpu(fleet, server, used)
    load = await place_orders(target, name, orders, case.in_flight, _paid, lambda *_: channel)
    # What an order leaves behind, mails and tax documents, is done beside the orders that follow it; that of the last
    # ones falls out, in each case alike.
    after = _cpu(fleet, server, used)
    run.add(load, {part: after[part] - before[part] for part in before})
    await _stop(used)
    run.closed(orders + _WAVES * _WAVE_ORDERS, [_closing(part, start) for part, start in zip(used, said, strict=True)])


async def _stop(parts: Sequence[Part]) -> None:
    await asyncio.gather(*(part.stop() for part in parts))


async def _warm_up(channel: grpc.aio.Channel, name: str) -> None:
    """Place orders until every replica has had some: the first calls of a channel go to whoever is connected first."""
    stub = order_service_pb2_grpc.OrderServiceStub(channel)
    for wave in range(_WAVES):
        asked = (request(f"{name}-warm-{wave}-{number}") for number in range(_WAVE_ORDERS))
        await asyncio.gather(*(stub.PlaceOrder(each, timeout=30) for each in asked))


def _balanced(target: str) -> grpc.aio.Channel:
    """Open a channel as every client of the mesh does: with turns among the replicas."""
    config = ("grpc.service_config", json.dumps(service_config([_SERVICE])))
    return grpc.aio.insecure_channel(target, options=[*CHANNEL_OPTIONS, config])


def _paid(order: order_pb2.Order) -> bool:
    return order.state == order_pb2.ORDER_STATE_PAID


def _cpu(fleet: Fleet, server: PostgresServer, used: Sequence[Part]) -> dict[str, float]:
    """Return the CPU seconds so far by part."""
    others = {name: fleet.replicas[name] for name in ("tax", "payment", "notify")}
    return {
        "order": sum(cpu_seconds(part.pid) for part in used),
        **{name: sum(cpu_seconds(part.pid) for part in parts) for name, parts in others.items()},
        "postgres": _cpu_of_tree(server.process_id),
        "sandbox": cpu_seconds(fleet.sandbox.pid),
        "load": time.process_time(),
    }


def _cpu_of_tree(root: int) -> float:
    """Return the CPU seconds of a process, of its children that run, and of those that it has waited for."""
    ticks = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # After the name in brackets: state, parent, nine others, utime, stime, cutime, cstime.
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has just ended
        if int(folder.name) == root:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == root:
            ticks += sum(map(int, fields[11:13]))
    return ticks / _TICKS


def _closing(part: Part, start: int) -> Mapping[str, object]:
    """Return what a replica logged of its store when it was stopped last."""
    lines = part.log.read_bytes()[start:].decode().splitlines()
    (closed,) = (line for line in lines if '"store.closed"' in line)
    found: Mapping[str, object] = json.loads(closed)
    return found


def _figures(runs: Mapping[Case, Run], defects: Sequence[str]) -> dict[str, object]:
    four = runs[FOUR]
    # Of what an order costs on the side of the product; the sandbox and the load are not ours to make faster.
    own = {part: four.per_order(part) for part in four.cpu if part not in {"sandbox", "load"}}
    cost = {case: sum(run.cpu.values()) / run.orders for case, run in runs.items()}
    return {
        **{str(case): run.as_json() for case, run in runs.items()},
        "orders_per_second_and_core": {part: round(_MILLI / each) for part, each in own.items()},
        "cpu_of_four_to_one": round(cost[FOUR] / cost[ONE], 3),
        "cpu_of_four_to_one_with_the_load_of_four": round(cost[FOUR] / cost[CROWDED], 3),
        "defects": list(defects[:5]),
        "holds": cost[FOUR] <= _COST_OF_FOUR * cost[ONE] and not defects,
    }
