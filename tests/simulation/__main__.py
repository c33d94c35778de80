"""`python -m tests.simulation --seeds 200`: run worlds, and print what became of them.

A world in which a promise is broken is printed as its timeline, after all faults that it does not take are left out.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.mutants import MUTANTS, caught
from tests.simulation.run import Result, run
from tests.simulation.shrink import shrunk

_SHOWN_FAULTS = 40


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes share the work")
    parser.add_argument("--table", action="store_true", help="print how often each fault hit each place")
    parser.add_argument("--mutants", action="store_true", help="try how many seeds it takes to catch each bad variant")
    parser.add_argument("--timeline", action="store_true", help="print everything that happened in each world")
    wanted = parser.parse_args()
    seeds = range(wanted.start, wanted.start + wanted.seeds)
    if wanted.mutants:
        return _try_mutants(seeds)
    failed, totals, hits = 0, Totals(), Counter[tuple[str, str]]()
    for result in _results(seeds, wanted.jobs):
        totals.add(result)
        hits.update((each.kind, each.place) for each in result.fired)
        if wanted.timeline:
            sys.stdout.write(timeline(result))
        if result.violations:
            failed += 1
            sys.stdout.write(timeline(shrunk(result)))
    if wanted.table:
        sys.stdout.writelines(f"{count:8} {kind:14} {place}\n" for (kind, place), count in sorted(hits.items()))
    sys.stdout.write(totals.line() + f", {failed} worlds with violations\n")
    return 1 if failed else 0


def _try_mutants(seeds: range) -> int:
    """Print after how many of the seeds each variant is caught, and by what."""
    missed = 0
    for mutant in MUTANTS:
        found = caught(mutant, seeds)
        missed += found is None
        seen = f"{found.worlds:6}" if found else "     -"
        sys.stdout.write(f"{seen}  {mutant.name:62} {found.result.violations[0] if found else 'NOT CAUGHT':.90}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(MUTANTS) - missed} of {len(MUTANTS)} caught within {len(seeds)} seeds\n")
    return 1 if missed else 0


class Totals:
    """Sums over worlds."""

    def __init__(self) -> None:
        self._seeds = self._kills = self._faults = 0
        self._simulated = self._seconds = 0.0

    def add(self, result: Result) -> None:
        """Count a world."""
        self._seeds += 1
        self._kills += result.kills
        self._faults += len(result.fired)
        self._simulated += result.simulated_seconds
        self._seconds += result.seconds

    def line(self) -> str:
        """Return the sums in a line."""
        each = 1_000 * self._seconds / max(1, self._seeds)
        return (
            f"{self._seeds} seeds, {self._kills} kills, {self._faults} faults, "
            f"{self._simulated / 3_600:.0f} simulated hours, {each:.0f} ms of a processor per seed"
        )


def timeline(result: Result) -> str:
    """Return what happened in a world, for a person."""
    lines = [f"seed {result.seed}, digest {result.digest}"]
    lines += [f"  {each.kind} at {each.place} (draw {each.draw})" for each in result.fired[:_SHOWN_FAULTS]]
    lines += [f"{at:14.3f}  {what}" for at, what in result.log]
    lines += [f"  BROKEN: {each}" for each in result.violations]
    return "\n".join(lines) + "\n"


def _results(seeds: range, jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as processes:
        yield from processes.map(run, seeds, chunksize=8)


if __name__ == "__main__":
    sys.exit(main())
