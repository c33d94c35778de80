"""Running a plan: simulated worlds on all cores, and the rounds on real processes beside them."""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.prove.plan import Plan
from tests.prove.processes import Rounds
from tests.prove.proof import Proof
from tests.prove.worlds import Worlds, run_worlds, try_mutant
from tests.simulation.exhaustive import Share, explore, played_again

# Small enough that both cores end together, large enough that sending them costs nothing.
_BLOCK = 50
_PARTS = 4

# How often cases are looked for that let rare faults happen.
_MOST_TIMES = 4

# Is told what is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], None]


class Here(Executor):
    """Does everything at once, in this process."""

    def submit(self, act: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:  # noqa: ANN401  (anything)
        future: Future[Any] = Future()
        future.set_result(act(*arguments, **named))
        return future


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
    command = [sys.executable, "-m", "tests.failure", "--rounds", str(plan.rounds)]
    rounds = Rounds(command, folder) if plan.rounds else None
    try:
        with _workers(plan.jobs) as workers:
            _simulate(proof, workers, tell)
        if rounds is not None:
            tell("real processes", 0, 1)
            proof.processes = rounds.figures()
            tell("real processes", 1, 1)
    finally:
        if rounds is not None:
            rounds.stop()
    proof.seconds = time.monotonic() - began
    return proof


def _workers(jobs: int) -> Executor:
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) if jobs else Here()


def _simulate(proof: Proof, workers: Executor, tell: Tell) -> None:
    """Run everything that is simulated; the longest pieces first, so that all workers end together."""
    plan = proof.plan
    done = partial(_collect, tell)
    mutants = [workers.submit(try_mutant, name, plan.mutant_seeds) for name in plan.mutants]
    first = plan.variants[0]
    long = [Share(path, first, part, _PARTS, own=True) for path in plan.long_paths for part in range(_PARTS)]
    short = [
        Share(path, seed, part, _PARTS, pairs=path.name in plan.pairs and seed == first)
        for seed in plan.variants
        for path in plan.paths
        for part in range(_PARTS)
    ]
    paths = [workers.submit(explore, share) for share in (*long, *short)]
    starts = range(0, plan.seeds, _BLOCK)
    blocks = [workers.submit(run_worlds, range(begin, min(begin + _BLOCK, plan.seeds))) for begin in starts]
    again = workers.submit(run_worlds, range(plan.replays))
    for tried in done("variants of the product", mutants):
        proof.tried.append(tried)
    for found in done("paths, piece by piece", paths):
        proof.pass_.add(found)
    for worlds in done("blocks of worlds", blocks):
        proof.worlds.add(worlds)
    proof.tried.sort(key=lambda each: plan.mutants.index(each.name))
    repeated: Worlds = again.result()
    proof.same = sum(proof.worlds.digests[seed] == digest for seed, digest in repeated.digests.items())
    _thicken(proof, workers, done)


def _thicken(proof: Proof, workers: Executor, done: Callable[..., Any]) -> None:
    """Let what happened too seldom happen again, in variants of the case that is known for it.

    Such a case may meet what no case before it did, so this is done again.
    """
    for number in range(1, _MOST_TIMES + 1):
        ways, hits = proof.pass_.ways, proof.hits
        again = [
            workers.submit(played_again, cell, ways[cell], proof.plan.least_hits - hits[cell])
            for cell in proof.thin
            if cell in ways
        ]
        if not again:
            return
        for found in done(f"rare faults, {number}", again):
            proof.pass_.add(found)


def _collect(tell: Tell, what: str, futures: list[Future[Any]]) -> Any:  # noqa: ANN401  (what the futures are of)
    tell(what, 0, len(futures))
    for number, future in enumerate(as_completed(futures), start=1):
        yield future.result()
        tell(what, number, len(futures))
