"""`python -m tests.load PART…`: what the mesh does at scale, on real processes. Exit code 1 when a figure is missed."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes.postgres_server import PostgresServer
from tests.load import dead_peer, workers
from tests.load.fleet import REPLICATED, Fleet, a_postgres, running_fleet
from tests.load.frozen import frozen
from tests.load.goodput import goodput
from tests.load.postgres import postgres
from tests.load.replicas import replicas
from tests.load.restart import restart

Figures = Mapping[str, object]
Measure = Callable[[argparse.Namespace], Coroutine[Any, Any, Figures]]


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *_PARTS], help="all, unless some are named")
    parser.add_argument("--services", nargs="+", choices=REPLICATED, default=REPLICATED, help="of a restart")
    parser.add_argument("--rounds", type=int, default=20, help="how often each service is restarted")
    parser.add_argument(
        "--slices", type=int, default=4, help="how often each case of replicas, or of goodput, is loaded"
    )
    parser.add_argument("--slice-orders", type=int, default=400, help="how many orders at a time")
    parser.add_argument("--times", type=int, default=3, help="how often whatever is killed is killed")
    parser.add_argument(
        "--beside", nargs="+", choices=REPLICATED, default=(), help="what of goodput has the client's processor"
    )
    parser.add_argument("--json", type=Path, default=Path("build/load.json"), help="where the figures go")
    wanted = parser.parse_args()
    figures: dict[str, Figures] = {name: asyncio.run(_PARTS[name](wanted)) for name in wanted.parts or _PARTS}
    wanted.json.parent.mkdir(exist_ok=True)
    wanted.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0 if all(each["holds"] for each in figures.values()) else 1


async def _restart(wanted: argparse.Namespace) -> Figures:
    async with _fleet() as (fleet, _):
        return await restart(fleet, wanted.services, wanted.rounds)


async def _frozen(_wanted: argparse.Namespace) -> Figures:
    async with _fleet() as (fleet, _):
        return await frozen(fleet)


async def _dead_peer(wanted: argparse.Namespace) -> Figures:
    async with _fleet(dead_peer.COUNTS) as (fleet, _):
        return await dead_peer.dead_peer(fleet, wanted.times)


async def _postgres(wanted: argparse.Namespace) -> Figures:
    async with _fleet() as (fleet, server):
        return await postgres(fleet, server, wanted.times)


async def _workers(wanted: argparse.Namespace) -> Figures:
    async with _fleet(workers.COUNTS, workers.OPTIONS) as (fleet, _):
        return await workers.workers(fleet, wanted.times)


@asynccontextmanager
async def _fleet(
    counts: Mapping[str, int] | None = None, options: Mapping[str, Sequence[str]] | None = None
) -> AsyncIterator[tuple[Fleet, PostgresServer]]:
    with a_postgres() as server, tempfile.TemporaryDirectory(prefix="ordermesh-load-") as folder:
        async with running_fleet(Path(folder), server.create_database(), counts, options=options) as fleet:
            yield fleet, server


async def _replicas(wanted: argparse.Namespace) -> Figures:
    with (
        a_postgres(fsync="on", autovacuum="on") as server,
        tempfile.TemporaryDirectory(prefix="ordermesh-load-") as folder,
    ):
        return await replicas(Path(folder), server, wanted.slices, wanted.slice_orders)


async def _goodput(wanted: argparse.Namespace) -> Figures:
    with a_postgres(fsync="on") as server, tempfile.TemporaryDirectory(prefix="ordermesh-load-") as folder:
        return await goodput(Path(folder), server, wanted.slices, wanted.beside)


_PARTS: Mapping[str, Measure] = {
    "restart": _restart,
    "frozen": _frozen,
    "dead_peer": _dead_peer,
    "postgres": _postgres,
    "workers": _workers,
    "replicas": _replicas,
    "goodput": _goodput,
}


if __name__ == "__main__":
    sys.exit(main())
