"""`python -m tests.failure --rounds 50`: kill, freeze, cut and starve the whole system under load, and check it.

A promise that is broken is printed with the seed and the history of its order.
"""

import argparse
import asyncio
import json
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.failure.audit import audited
from tests.failure.history import kept_history
from tests.failure.mesh import SERVICES, running_mesh
from tests.failure.nemesis import Nemesis, databases, disks, moods
from tests.failure.receiver import listening
from tests.failure.recovery import measure
from tests.failure.rounds import Findings, Scene, kill_in_turn, report, torment
from tests.failure.seen import Onlooker
from tests.failure.shop import Shops
from tests.fakes.postgres_server import PostgresServer


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.failure", description=__doc__)
    parser.add_argument("--rounds", type=int, default=0, help="how many rounds of harm and healing")
    parser.add_argument("--each", type=int, default=0, help="how often each service is killed in turn")
    parser.add_argument("--recovery", action="store_true", help="measure how long recovery takes")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite", help="where the services keep")
    parser.add_argument("--seed", type=int, default=0, help="what all draws come from")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--keep", type=Path, help="where data, logs and history stay")
    parser.add_argument("--ends-with-input", action="store_true", help="end as soon as standard input does")
    wanted = parser.parse_args()
    with _folder(wanted.keep) as folder:
        try:
            figures, text = asyncio.run(_run(wanted, folder))
        except Exception as error:
            error.add_note(
                f"seen with --seed {wanted.seed}; the history is in {folder}/history.jsonl, kept with --keep"
            )
            raise
    sys.stdout.write(f"{text}audit: {figures['audit']}\n")
    if wanted.json:
        wanted.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if not figures["violations"] and figures["audit"] == "clean" else 1


async def _run(wanted: argparse.Namespace, folder: Path) -> tuple[dict[str, object], str]:
    """Return the figures, and what there is to say to a person."""
    started = time.monotonic()
    running = asyncio.current_task()
    assert running is not None, "a coroutine runs in a task"
    # However it is ended: a part that is frozen just then would not notice by itself.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    if wanted.ends_with_input:
        _cancel_when_input_ends(running)
    found = Findings()
    rng = random.Random(wanted.seed)
    with _postgres(wanted.database) as server, kept_history(folder / "history.jsonl") as history:
        url = server.create_database() if server else ""
        async with (
            running_mesh(folder, url, replicas=2 if server else 1) as mesh,
            listening(mesh.rest_url) as receiver,
        ):
            shops = Shops(mesh.rest_url, mesh.sandbox_url, history, random.Random(f"shops {wanted.seed}"))
            scene = Scene(mesh, shops, Onlooker(mesh.rest_url, mesh.sandbox_url, receiver))
            storage = databases(mesh, rng, server, url) if server else disks(mesh, rng)
            try:
                if wanted.rounds:
                    nemesis = Nemesis(mesh, rng, history, found.counts, {**storage, **moods(receiver, rng)})
                    await torment(scene, nemesis, rng, wanted.rounds, found)
                if wanted.each and not found.complaints:
                    await kill_in_turn(scene, SERVICES, wanted.each, found)
                if wanted.recovery:
                    await measure(scene, server, found)
                audit = await audited(mesh.parts["gateway"].values)
            finally:
                await shops.abandon()
        text = report(found, history, wanted.seed)
    figures = {
        "seed": wanted.seed,
        "database": wanted.database,
        "rounds": found.rounds,
        "kills": {name: found.counts[f"kill {name}"] for name in mesh.parts},
        "stops": found.counts["stop"] + found.counts["long stop"],
        "harm": {name: count for name, count in sorted(found.counts.items()) if not name.startswith("kill ")},
        "ended_by_themselves": {name: part.ended for name, part in mesh.parts.items()},
        "orders": found.orders,
        "told": found.told,
        "charges": found.charges,
        "refunds": found.refunds,
        "commands": dict(sorted(found.commands.items())),
        "webhooks": {"told": found.messages, "repeated": receiver.repeated},
        "violations": [complaint.what for _, complaint in found.complaints],
        "audit": audit,
        "recovery_seconds": found.recovery_seconds(),
        "seconds": round(time.monotonic() - started, 1),
        "core_seconds": round(_core_seconds(), 1),
    }
    return figures, text


def _cancel_when_input_ends(running: asyncio.Task[Any]) -> None:
    """Break a task off when whoever started this process has ended, and could not say so."""
    loop, given = asyncio.get_running_loop(), sys.stdin.fileno()

    def ended() -> None:
        loop.remove_reader(given)
        running.cancel()

    loop.add_reader(given, ended)


def _core_seconds() -> float:
    """Return how long cores have worked for this process and for all parts that have ended."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@contextmanager
def _postgres(database: str) -> Iterator[PostgresServer | None]:
    """Run a server for as long as the context is open, when one is wanted."""
    if database != "postgres":
        yield None
        return
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """Make a folder for a while, or one that stays."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="ordermesh-failure-") as name:
        yield Path(name)


if __name__ == "__main__":
    sys.exit(main())
