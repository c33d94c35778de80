"""Rounds of harm and healing under a steady load, each followed by a success, every few by a thorough look."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import median

from tests.failure.checker import Complaint, look, settled
from tests.failure.mesh import Mesh
from tests.failure.nemesis import Nemesis
from tests.failure.shop import History, Shops

# How long everything that harm has left unfinished may take to be finished: a lease, a breaker and the longest pause
# between tries, one after another, on a machine that is busy.
SETTLE_SECONDS = 90.0
_SUCCESS_SECONDS = 60.0

_LOOK_EVERY = 10

# How much of a log line a complaint shows: what happened, and not its stack.
_SHOWN = 400


@dataclass(slots=True)
class Findings:
    """What rounds have shown.

    Attributes:
        rounds: How many there were.
        counts: What was done, how often.
        complaints: What was wrong, with the round after which it was seen.
        recovery: Seconds from a part's start to the next new order that was paid, by part.
        settling: Seconds until everything was settled, one for each look.
        charges: How often money was taken.
        orders: How many orders there were.
    """

    rounds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[tuple[int, Complaint]] = field(default_factory=list)
    recovery: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    settling: list[float] = field(default_factory=list)
    charges: int = 0
    orders: int = 0

    def recovery_seconds(self) -> dict[str, dict[str, float]]:
        """Return median and maximum by part."""
        times = {**self.recovery, "settled": self.settling}
        return {
            name: {"median": round(median(each), 2), "max": round(max(each), 2)} for name, each in times.items() if each
        }


async def torment(mesh: Mesh, nemesis: Nemesis, shops: Shops, rng: random.Random, rounds: int, found: Findings) -> None:
    """Do harm and heal, again and again; ends early when a promise is broken.

    Args:
        mesh: The system.
        nemesis: Who does the harm.
        shops: The load.
        rng: Draws how long each round is.
        rounds: How many.
        found: Added to.
    """
    shops.open()
    for number in range(1, rounds + 1):
        killed = await nemesis.act(rng.uniform(0.5, 1.5))
        await nemesis.heal()
        seconds = await until_success(mesh, shops)
        found.rounds += 1
        if len(set(killed)) == 1:
            found.recovery[killed[0]].append(seconds)
        if number % _LOOK_EVERY == 0 or number == rounds:
            await examine(mesh, shops, found)
            if found.complaints:
                return
            if number < rounds:
                shops.open()


async def kill_in_turn(mesh: Mesh, shops: Shops, names: tuple[str, ...], each: int, found: Findings) -> None:
    """Kill every part in turn under load, start it again, and wait for the next success.

    Args:
        mesh: The system.
        shops: The load.
        names: Whom to kill.
        each: How often.
        found: Added to.
    """
    shops.open()
    for _ in range(each):
        for name in names:
            await mesh.parts[name].kill()
            found.counts[f"kill {name}"] += 1
            await mesh.parts[name].start()
            found.recovery[name].append(await until_success(mesh, shops))
        found.rounds += 1
    await examine(mesh, shops, found)


async def until_success(mesh: Mesh, shops: Shops) -> float:
    """Return the seconds until an order is told PAID; a part that ends by itself meanwhile is started again.

    Raises:
        TimeoutError: None was.
    """
    started = time.monotonic()
    shops.succeeded.clear()
    async with mesh.supervised(), asyncio.timeout(_SUCCESS_SECONDS):
        await shops.succeeded.wait()
    return time.monotonic() - started


async def examine(mesh: Mesh, shops: Shops, found: Findings) -> None:
    """Let every order come to its end, and compare all that is known."""
    started = time.monotonic()
    async with mesh.supervised():
        async with asyncio.timeout(SETTLE_SECONDS):
            await shops.close()
        complaints = await settled(mesh.rest_url, mesh.sandbox_url, shops.asked.values(), SETTLE_SECONDS)
        seen = await look(mesh.rest_url, mesh.sandbox_url)
    found.settling.append(time.monotonic() - started)
    defects = [
        Complaint("", f"{part.name} logs {each[:_SHOWN]}", final=True)
        for part in mesh.parts.values()
        for each in part.defects()
    ]
    found.complaints += [(found.rounds, complaint) for complaint in (*complaints, *defects)]
    found.orders, found.charges = len(seen.orders), sum(map(len, seen.charges.values()))


def report(found: Findings, history: History, told: int, seed: int) -> str:
    """Return what broken promises look like, for a person."""
    lines = []
    for number, complaint in found.complaints[:20]:
        lines.append(f"BROKEN after round {number} with --seed {seed}: {complaint.key} {complaint.what}")
        lines += [f"    {line}" for line in history.of(complaint.key)] if complaint.key else []
    kills = sum(count for name, count in found.counts.items() if name.startswith("kill "))
    lines.append(
        f"{found.rounds} rounds, {kills} kills, {found.orders} orders, {told} told, {found.charges} charges, "
        f"{len(found.complaints)} violations"
    )
    return "\n".join(lines) + "\n"
