"""What was run and what it showed, and whether that is enough."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.prove.plan import Plan
from tests.prove.worlds import Tried, Worlds
from tests.simulation.exhaustive import Findings
from tests.simulation.table import Cell

_OUTAGES = "outage of "


@dataclass(slots=True)
class Proof:
    """Everything that a run has found.

    Attributes:
        plan: What was run.
        commit: Of which version, in short.
        worlds: The worlds that seeds drew.
        same: How many of those that were run twice told the same story again.
        pass_: The exhaustive pass.
        tried: The variants of the product.
        processes: The figures of the rounds on real processes; None when there were none.
        seconds: How long all of it took.
        core_seconds: For how long cores worked for each part of what is simulated.
        cores: How many cores there were.
    """

    plan: Plan
    commit: str = ""
    worlds: Worlds = field(default_factory=Worlds)
    same: int = 0
    pass_: Findings = field(default_factory=Findings)
    tried: list[Tried] = field(default_factory=list)
    processes: dict[str, Any] | None = None
    seconds: float = 0.0
    core_seconds: dict[str, float] = field(default_factory=dict)
    cores: int = 1

    @property
    def hits(self) -> dict[Cell, int]:
        """How often each fault happened at each place where it can; outages apart."""
        hits = dict.fromkeys(self.pass_.ways, 0)
        for found in (self.worlds.hits, self.pass_.hits):
            for cell, count in found.items():
                if not cell[0].startswith(_OUTAGES):
                    hits[cell] = hits.get(cell, 0) + count
        return hits

    @property
    def outages(self) -> dict[Cell, int]:
        """How often each provider was away for how long."""
        return {cell: count for cell, count in self.worlds.hits.items() if cell[0].startswith(_OUTAGES)}

    @property
    def kinds(self) -> dict[str, int]:
        """How often each kind of fault happened."""
        kinds: dict[str, int] = {}
        for (kind, _), count in (*self.hits.items(), *self.outages.items()):
            kinds[kind] = kinds.get(kind, 0) + count
        return dict(sorted(kinds.items()))

    @property
    def thin(self) -> list[Cell]:
        """Faults that happened too seldom somewhere where they can."""
        return sorted(cell for cell, count in self.hits.items() if count < self.plan.least_hits)

    @property
    def missed(self) -> list[str]:
        """Variants of the product that nothing caught."""
        return [each.name for each in self.tried if each.seeds is None]

    @property
    def violations(self) -> int:
        """In how many worlds, cases and rounds a promise was broken."""
        rounds = len(self.processes["violations"]) if self.processes else 0
        return len(self.worlds.broken) + len(self.pass_.broken) + rounds

    @property
    def holds(self) -> bool:
        """Whether everything that was run shows what it has to."""
        flaws = (self.violations, self.missed, self.thin, self.pass_.unreached, self.plan.replays - self.same)
        return not any(flaws)

    def figures(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        caught = [each.seeds for each in self.tried if each.seeds is not None]
        drawn = [each.seeds for each in self.tried if each.seeds is not None and not each.on]
        return {
            "holds": self.holds,
            "command": self.plan.command,
            "commit": self.commit,
            "violations": self.violations,
            "seeds": {"first": 0, "count": self.worlds.seeds, "kills": self.worlds.kills},
            "simulated_hours": round((self.worlds.simulated_seconds + self.pass_.simulated_seconds) / 3_600),
            "determinism": {"same": self.same, "of": self.plan.replays},
            "exhaustive": {
                "cases": self.pass_.cases,
                "paths": len(self.plan.paths) + len(self.plan.long_paths),
                "variants": len(self.plan.variants),
                "pairs_on": list(self.plan.pairs),
                "kills": self.pass_.kills,
                "unreached": self.pass_.unreached,
            },
            "faults": self.kinds,
            "cells": {f"{kind} {place}": count for (kind, place), count in sorted(self.hits.items())},
            "outages": {f"{place}, {kind}": count for (kind, place), count in sorted(self.outages.items())},
            "thin_cells": [f"{kind} {place}" for kind, place in self.thin],
            "mutants": {
                "caught": len(caught),
                "of": len(self.tried),
                "on_paths": len(caught) - len(drawn),
                "median_seeds": median(drawn) if drawn else None,
                "worst_seeds": max(drawn, default=None),
                "seeds": {each.name: each.seeds for each in self.tried},
            },
            "processes": self.processes,
            "seconds": round(self.seconds),
            "core_seconds": {name: round(seconds) for name, seconds in self.core_seconds.items()},
            "cores": self.cores,
        }
