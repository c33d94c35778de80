"""Running a plan: simulated worlds on all cores, and the rounds on real processes beside them."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, as_completed
from pathlib import Path
from typing import TypeVar

from tests.prove.plan import Plan
from tests.prove.processes import Rounds
from tests.prove.proof import Proof
from tests.prove.workers import Measured, measured, workers
from tests.prove.worlds import run_worlds, try_mutant
from tests.simulation.exhaustive import Share, explore, played_again

T = TypeVar("T")

# Small enough that both cores end together, large enough that sending them costs nothing.
_BLOCK = 50
_PARTS = 4

# How often cases are looked for that let rare faults happen.
_MOST_TIMES = 4

# Is told what is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], None]


def prove(plan: Plan, folder: Path, tell: Tell) -> Proof:
    """Run a plan and return what it showed.

    Args:
        plan: What is run.
        folder: Where the rounds on real processes leave what they say.
        tell: Is told of the progress.
    """
    began = time.monotonic()
    proof = Proof(plan, cores=os.cpu_count() or 1)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.failure", "--rounds", str(plan.rounds), "--ends-with-input"]
    rounds = Rounds(command, folder) if plan.rounds else None
    try:
        with workers(plan.jobs) as pool:
            Simulated(proof, pool, tell).everything()
        if rounds is not None:
            tell("real processes", 0, 1)
            proof.processes = rounds.figures()
            tell("real processes", 1, 1)
    finally:
        if rounds is not None:
            rounds.stop()
    proof.seconds = time.monotonic() - began
    return proof


class Simulated:
    """Everything of a plan that is simulated.

    Args:
        proof: Has the plan, and is told what was found.
        pool: Who does the work.
        tell: Is told of the progress.
    """

    def __init__(self, proof: Proof, pool: Executor, tell: Tell) -> None:
        self._proof = proof
        self._pool = pool
        self._tell = tell

    def everything(self) -> None:
        """Run it; the longest pieces first, so that all workers end together."""
        proof, plan = self._proof, self._proof.plan
        mutants = [self._submit(try_mutant, name, plan.mutant_seeds) for name in plan.mutants]
        paths = [self._submit(explore, share) for share in _shares(plan)]
        starts = range(0, plan.seeds, _BLOCK)
        blocks = [self._submit(run_worlds, range(begin, min(begin + _BLOCK, plan.seeds))) for begin in starts]
        again = [self._submit(run_worlds, range(plan.replays))]
        for tried in self._done("Variants of the product", mutants):
            proof.tried.append(tried)
        proof.tried.sort(key=lambda each: plan.mutants.index(each.name))
        for found in self._done("Exhaustive pass", paths):
            proof.pass_.add(found)
        for worlds in self._done("Worlds", blocks):
            proof.worlds.add(worlds)
        for repeated in self._done("The same seeds again", again):
            proof.same = sum(proof.worlds.digests[seed] == digest for seed, digest in repeated.digests.items())
        self._thicken()

    def _thicken(self) -> None:
        """Let what happened too seldom happen again, in variants of the case that is known for it.

        Such a case may meet what no case before it did, so this is done again.
        """
        proof = self._proof
        for _ in range(_MOST_TIMES):
            ways, hits = proof.pass_.ways, proof.hits
            again = [
                self._submit(played_again, cell, ways[cell], proof.plan.least_hits - hits[cell])
                for cell in proof.thin
                if cell in ways
            ]
            if not again:
                return
            for found in self._done("Rare faults", again):
                proof.pass_.add(found)

    def _submit(self, act: Callable[..., T], *arguments: object) -> Future[Measured[T]]:
        return self._pool.submit(measured, act, *arguments)

    def _done(self, what: str, futures: list[Future[Measured[T]]]) -> Iterator[T]:
        """Yield what came of pieces of work, in the order in which they are done."""
        self._tell(what, 0, len(futures))
        for number, future in enumerate(as_completed(futures), start=1):
            piece = future.result()
            self._proof.core_seconds[what] = self._proof.core_seconds.get(what, 0.0) + piece.core_seconds
            yield piece.result
            self._tell(what, number, len(futures))


def _shares(plan: Plan) -> list[Share]:
    """Return the pieces of the exhaustive pass."""
    first = plan.variants[0]
    long = [Share(path, first, part, _PARTS, own=True) for path in plan.long_paths for part in range(_PARTS)]
    pairs = [
        Share(path, first, part, 2 * _PARTS, pairs=True, own=plan.own)
        for path in plan.paths
        if path.name in plan.pairs
        for part in range(2 * _PARTS)
    ]
    single = [
        Share(path, seed, part, _PARTS, own=plan.own)
        for seed in plan.variants
        for path in plan.paths
        if seed != first or path.name not in plan.pairs
        for part in range(_PARTS)
    ]
    return [*pairs, *long, *single]
