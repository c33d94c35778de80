"""Pieces of the work that processes share: each takes and returns what can be sent to another process."""

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.__main__ import timeline
from tests.simulation.mutants import MUTANTS, caught
from tests.simulation.run import run
from tests.simulation.shrink import shrunk
from tests.simulation.table import Cell


@dataclass(slots=True)
class Worlds:
    """What became of worlds that seeds drew.

    Attributes:
        seeds: How many there were.
        kills: How many processes died.
        simulated_seconds: How long they lasted.
        hits: How often each fault happened at each place.
        digests: What tells the story of each seed from another.
        broken: Timelines of worlds in which a promise was broken; the first of a piece with as few faults as it takes.
    """

    seeds: int = 0
    kills: int = 0
    simulated_seconds: float = 0.0
    hits: Counter[Cell] = field(default_factory=Counter)
    digests: dict[int, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def add(self, other: "Worlds") -> None:
        """Count what another process has seen."""
        self.seeds += other.seeds
        self.kills += other.kills
        self.simulated_seconds += other.simulated_seconds
        self.hits += other.hits
        self.digests |= other.digests
        self.broken += other.broken


def run_worlds(seeds: range) -> Worlds:
    """Run the worlds of some seeds."""
    worlds = Worlds()
    for seed in seeds:
        result = run(seed)
        worlds.seeds += 1
        worlds.kills += result.kills
        worlds.simulated_seconds += result.simulated_seconds
        worlds.hits.update((each.kind, each.place) for each in result.fired)
        worlds.digests[seed] = result.digest
        if result.violations:
            # Once is enough to see it, and looking for the least that breaks it takes some sixty worlds.
            worlds.broken.append(timeline(result if worlds.broken else shrunk(result)))
    return worlds


@dataclass(frozen=True, slots=True)
class Tried:
    """A variant of the product.

    Attributes:
        name: What is wrong with it.
        seeds: How many worlds it took to catch it; None: it was not.
        said: The promise that it broke.
        on: The name of the path on which it did; empty for a world that a seed drew.
    """

    name: str
    seeds: int | None
    said: str
    on: str = ""


def try_mutant(name: str, seeds: int) -> Tried:
    """Play the path that is known for a variant of the product, and then worlds, until one breaks a promise."""
    (mutant,) = (each for each in MUTANTS if each.name == name)
    found = caught(mutant, range(seeds))
    return Tried(name, found.worlds, found.result.violations[0], found.on) if found else Tried(name, None, "")
