"""Rounds of harm and healing under a steady load, each followed by a success, every few by a thorough look."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import median

from tests.failure.checker import Complaint, settled
from tests.failure.history import History
from tests.failure.mesh import Mesh
from tests.failure.nemesis import Nemesis
from tests.failure.seen import Onlooker
from tests.failure.shop import Shops

# How long everything that harm has left unfinished may take to be finished: a lease, a breaker and the longest pause
# between tries, one after another, on a machine that is busy.
SETTLE_SECONDS = 180.0
_SUCCESS_SECONDS = 120.0

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
        told: Of how many a shop was told.
        refunds: How often money went back.
        messages: Of how many events the shop's other system was told.
        commands: How shops were answered, how often: "refund done".
    """

    rounds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[tuple[int, Complaint]] = field(default_factory=list)
    recovery: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    settling: list[float] = field(default_factory=list)
    charges: int = 0
    orders: int = 0
    told: int = 0
    refunds: int = 0
    messages: int = 0
    commands: Counter[str] = field(default_factory=Counter)

    def recovery_seconds(self) -> dict[str, dict[str, float]]:
        """Return median and maximum by part."""
        times = {**self.recovery, "settled": self.settling}
        return {
            name: {"median": round(median(each), 2), "max": round(max(each), 2)} for name, each in times.items() if each
        }


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it all happens.

    Attributes:
        mesh: The system.
        shops: The load.
        onlooker: Sees what became of it.
    """

    mesh: Mesh
    shops: Shops
    onlooker: Onlooker


async def torment(scene: Scene, nemesis: Nemesis, rng: random.Random, rounds: int, found: Findings) -> None:
    """Do harm and heal, again and again; ends early when a promise is broken.

    Args:
        scene: The system under load.
        nemesis: Who does the harm.
        rng: Draws how long each round is.
        rounds: How many.
        found: Added to.
    """
    scene.shops.open()
    for number in range(1, rounds + 1):
        killed = await nemesis.act(rng.uniform(0.5, 1.5))
        await nemesis.heal()
        seconds = await until_success(scene)
        found.rounds += 1
        if len(set(killed)) == 1:
            found.recovery[killed[0]].append(seconds)
        if number % _LOOK_EVERY == 0 or number == rounds:
            await examine(scene, found)
            if found.complaints:
                return
            if number < rounds:
                scene.shops.open()


async def kill_in_turn(scene: Scene, names: tuple[str, ...], each: int, found: Findings) -> None:
    """Kill every part in turn under load, start it again, and wait for the next success.

    Args:
        scene: The system under load.
        names: Whom to kill.
        each: How often.
        found: Added to.
    """
    scene.shops.open()
    for _ in range(each):
        for name in names:
            await scene.mesh.parts[name].kill()
            found.counts[f"kill {name}"] += 1
            await scene.mesh.parts[name].start()
            found.recovery[name].append(await until_success(scene))
        found.rounds += 1
    await examine(scene, found)


async def until_success(scene: Scene) -> float:
    """Return the seconds until an order is told PAID; a part that ends by itself meanwhile is started again.

    Raises:
        TimeoutError: None was.
    """
    started = time.monotonic()
    scene.shops.succeeded.clear()
    async with scene.mesh.supervised(), asyncio.timeout(_SUCCESS_SECONDS):
        await scene.shops.succeeded.wait()
    return time.monotonic() - started


async def examine(scene: Scene, found: Findings) -> None:
    """Let every order come to its end, and compare all that is known."""
    started = time.monotonic()
    mesh, shops, onlooker = scene.mesh, scene.shops, scene.onlooker
    async with mesh.supervised():
        async with asyncio.timeout(SETTLE_SECONDS):
            await shops.close()
        complaints = await settled(onlooker, shops.asked.values(), SETTLE_SECONDS)
        seen = await onlooker.look()
    found.settling.append(time.monotonic() - started)
    defects = [
        Complaint("", f"{part.name} logs {each[:_SHOWN]}", final=True)
        for part in mesh.parts.values()
        for each in part.defects()
    ]
    found.complaints += [(found.rounds, complaint) for complaint in (*complaints, *defects)]
    found.orders, found.charges = len(seen.orders), sum(map(len, seen.charges.values()))
    found.refunds, found.messages = sum(map(len, seen.refunds.values())), len(onlooker.receiver.messages)
    found.told = sum(bool(asked.order_ids) for asked in shops.asked.values())
    ends = (
        f"{given.command.verb} {end}" for asked in shops.asked.values() for given in asked.given for end in given.ends
    )
    found.commands = Counter(ends)


def report(found: Findings, history: History, seed: int) -> str:
    """Return what broken promises look like, for a person, and what was done in all."""
    lines = []
    for number, complaint in found.complaints[:20]:
        lines.append(f"BROKEN after round {number} with --seed {seed}: {complaint.key} {complaint.what}")
        lines += [f"    {line}" for line in history.of(complaint.key)] if complaint.key else []
    kills = sum(count for name, count in found.counts.items() if name.startswith("kill "))
    lines.append(
        f"{found.rounds} rounds, {kills} kills, {found.orders} orders, {found.told} told, {found.charges} charges, "
        f"{found.refunds} refunds, {found.messages} webhooks, {found.commands.total()} commands answered "
        f"({', '.join(f'{count} {end}' for end, count in sorted(found.commands.items()))}), "
        f"{len(found.complaints)} violations"
    )
    return "\n".join(lines) + "\n"
