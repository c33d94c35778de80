"""`python -m tests.simulation.exhaustive`: everything that can go wrong, once, everywhere, on every way of an order.

Each path is played undisturbed, which tells every point at which a process can die or be held, and every call and
commit that can go wrong. Then it is played once for each of them. With `--pairs` something goes wrong twice: whoever
was killed meets each fault when the call or commit comes again, and whatever went wrong is followed by a kill.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile
from multiprocessing import get_context
from pathlib import Path as File

from tests.simulation.chaos import KILL, READ
from tests.simulation.paths import LONG_PATHS, PATHS
from tests.simulation.script import Chance, Cue, Path, Played, play
from tests.simulation.table import Cell, tables

# Workers who find nothing to do look again and again. So many looks of one kind in a row are told apart.
_MOST_LOOKS = 3

# What goes wrong later than that after the last event goes wrong with nothing.
_QUIET_SECONDS = 1.0

# The answer to a call differs so many moments before what follows from it does.
_SEEN_AFTER = 6

# How much of a broken case is shown.
_SHOWN_LINES = 60


@dataclass(frozen=True, slots=True)
class Case:
    """One path, and what goes wrong on it.

    Attributes:
        path: The way of the order.
        cues: What goes wrong: nothing, one thing or two.
        seed: Of ids, jitter and replicas, and of how long things last that last.
    """

    path: Path
    cues: tuple[Cue, ...] = ()
    seed: int = 0

    def __str__(self) -> str:
        return f'--path "{self.path.name}" --seed {self.seed}' + "".join(f' --cue "{cue}"' for cue in self.cues)


@dataclass(frozen=True, slots=True)
class Broken:
    """A case that broke a promise."""

    case: str
    violations: tuple[str, ...]
    timeline: tuple[str, ...]

    def __str__(self) -> str:
        told = [f"  {each}" for each in self.timeline]
        told += [f"  BROKEN: {each}" for each in self.violations]
        return "\n".join([f"python -m tests.simulation.exhaustive {self.case}", *told]) + "\n"


@dataclass(slots=True)
class Findings:
    """What a pass has found so far.

    Attributes:
        cases: How many were played.
        simulated_seconds: How long they lasted.
        kills: How many processes died.
        ways: Every kind of fault that could have happened, with its place, and a case in which it does.
        hits: How often it did.
        broken: Cases in which a promise was broken.
        unreached: Cases in which something was to go wrong, and its moment never came.
    """

    cases: int = 0
    simulated_seconds: float = 0.0
    kills: int = 0
    ways: dict[Cell, Case] = field(default_factory=dict)
    hits: Counter[Cell] = field(default_factory=Counter)
    broken: list[Broken] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)

    def saw(self, case: Case, played: Played) -> None:
        """Count a case."""
        result = played.result
        self.cases += 1
        self.simulated_seconds += result.simulated_seconds
        self.kills += result.kills
        for chance in played.chances:
            for kind in chance.kinds:
                cue = Cue(kind, chance.place, chance.number)
                self._knows((kind, chance.place), Case(case.path, (*case.cues, cue), case.seed))
        self.hits.update((each.kind, each.place) for each in result.fired)
        violations = tuple(result.violations)
        if not case.cues and played.state != case.path.ends:
            violations += (f"the path ends as {played.state}, not as {case.path.ends}",)
        if violations:
            timeline = tuple(f"{at:12.3f}  {what}" for at, what in result.log[-_SHOWN_LINES:])
            self.broken.append(Broken(str(case), violations, timeline))

    def add(self, other: "Findings") -> None:
        """Count what another process has found."""
        self.cases += other.cases
        self.simulated_seconds += other.simulated_seconds
        self.kills += other.kills
        for cell, case in other.ways.items():
            self._knows(cell, case)
        self.hits += other.hits
        self.broken += other.broken
        self.unreached += other.unreached

    def _knows(self, cell: Cell, case: Case) -> None:
        """Keep the plainest case in which a fault can happen: with other seeds one with many cues goes other ways."""
        known = self.ways.get(cell)
        if known is None or len(case.cues) < len(known.cues):
            self.ways[cell] = case


@dataclass(frozen=True, slots=True)
class Share:
    """A part of what there is to play on a path.

    Attributes:
        path: The way of the order.
        seed: As in Case.
        part: Which part, from 0.
        parts: How many there are.
        pairs: Whether a second thing goes wrong after each.
        kinds: Which kinds of faults happen; empty for all.
        own: Whether moments are left out until which the path is like one before it in the list.
    """

    path: Path
    seed: int = 0
    part: int = 0
    parts: int = 1
    pairs: bool = False
    kinds: frozenset[str] = frozenset()
    own: bool = False


def explore(share: Share) -> Findings:
    """Play a path undisturbed, and once for everything that can go wrong on it.

    Of several parts, the first counts the undisturbed case.
    """
    findings = Findings()
    undisturbed = _played(findings if share.part == 0 else Findings(), Case(share.path, seed=share.seed))
    since = _parting(share.path, share.seed) if share.own else 0
    cues = [cue for cue in moments(undisturbed, since) if not share.kinds or cue.kind in share.kinds]
    for cue in cues[share.part :: share.parts]:
        once = _reached(findings, Case(share.path, (cue,), share.seed))
        if share.pairs and not once.result.violations:
            for second in _after(cue, once):
                _reached(findings, Case(share.path, (cue, second), share.seed))
    return findings


def played_again(cell: Cell, case: Case, hits: int) -> Findings:
    """Play a case in which a fault happens with other seeds, until it has happened so often; 3 tries for each time."""
    findings = Findings()
    for seed in range(case.seed + 1, case.seed + 1 + 3 * hits):
        if findings.hits[cell] >= hits:
            break
        _played(findings, replace(case, seed=seed))
    return findings


def _played(findings: Findings, case: Case) -> Played:
    played = play(case.path, case.cues, case.seed)
    findings.saw(case, played)
    return played


def _reached(findings: Findings, case: Case) -> Played:
    """Play a case whose moments are known from the case before it: each of them has to come again."""
    played = _played(findings, case)
    if not played.happened.issuperset(case.cues):
        findings.unreached.append(str(case))
    return played


def _parting(path: Path, seed: int) -> int:
    """Return the number of the moment at which a path begins to differ from all that are before it in the list."""
    ours, before = _places(path, seed), takewhile(lambda each: each != path, (*PATHS, *LONG_PATHS))
    pairs = [zip(ours, _places(each, seed), strict=False) for each in before]
    shared = [takewhile(lambda both: both[0] == both[1], each) for each in pairs]
    return max(0, max((len(list(each)) for each in shared), default=0) - _SEEN_AFTER)


@cache
def _places(path: Path, seed: int) -> list[str]:
    return [chance.place for chance in play(path, seed=seed).chances]


def moments(played: Played, since: int = 0) -> Iterator[Cue]:
    """Yield everything that could have gone wrong, once for each moment that differs from others.

    Looks of workers who find nothing are all the same, until something happens.
    """
    last = max(at for at, what in played.result.log if what != "all faults end")
    looks: Counter[str] = Counter()
    for chance in played.chances[since:]:
        if chance.at > last + _QUIET_SECONDS:
            return
        if chance.kinds == READ:
            looks[chance.place] += 1
            if looks[chance.place] > _MOST_LOOKS:
                continue
        else:
            looks.clear()
        for kind in chance.kinds:
            yield Cue(kind, chance.place, chance.number)


def _after(cue: Cue, played: Played) -> Iterator[Cue]:
    """Yield what goes wrong next: after a kill, each fault of what was under way; after another fault, a kill."""
    fired = played.result.fired
    if not fired:
        return
    following = played.chances[fired[-1].draw :]
    if cue.kind == KILL:
        again = _first(each for each in following if each.place == cue.place.partition(":")[0])
        kinds: tuple[str, ...] = again.kinds if again else ()
    else:
        again = _first(each for each in following if KILL in each.kinds)
        kinds = (KILL,)
    if again is not None:
        yield from (Cue(kind, again.place, again.number) for kind in kinds)


def _first(chances: Iterable[Chance]) -> Chance | None:
    return next(iter(chances), None)


def explored(shares: Iterable[Share], jobs: int) -> Iterator[Findings]:
    """Explore shares, in so many processes."""
    if jobs == 1:
        yield from map(explore, shares)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as processes:
        yield from processes.map(explore, shares)


def main() -> int:
    """Run what the command line asks for."""
    known = {path.name: path for path in (*PATHS, *LONG_PATHS)}
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.exhaustive", description=__doc__)
    parser.add_argument("--path", action="append", choices=list(known), help="only this path")
    parser.add_argument("--seed", type=int, action="append", help="ids, jitter, replicas, durations (default 1)")
    parser.add_argument(
        "--cue", type=Cue.parsed, action="append", help="only this, as kind@place#number; two for a pair"
    )
    parser.add_argument("--pairs", action="store_true", help="let a second thing go wrong after each")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes share the work")
    parser.add_argument("--markdown", type=File, help="write the table here")
    wanted = parser.parse_args()
    paths = [known[name] for name in wanted.path] if wanted.path else list(PATHS)
    seeds = wanted.seed or [1]
    found = Findings()
    if wanted.cue:
        for path in paths:
            played = _reached(found, Case(path, tuple(wanted.cue), seeds[0]))
            sys.stdout.writelines(f"{at:12.3f}  {what}\n" for at, what in played.result.log)
    else:
        shares = [Share(path, seed, pairs=wanted.pairs) for seed in seeds for path in paths]
        for each in explored(shares, wanted.jobs):
            found.add(each)
            sys.stdout.writelines(f"{broken}\n" for broken in each.broken)
    sys.stdout.writelines(f"never came to it: {case}\n" for case in found.unreached)
    page = tables(found.ways, found.hits)
    if wanted.markdown:
        wanted.markdown.write_text(page)
    sys.stdout.write(
        f"{page}\n{found.cases} cases on {len(paths)} paths, {len(found.ways)} cells, {found.kills} kills, "
        f"{len(found.broken)} cases with violations\n"
    )
    return 1 if found.broken or found.unreached else 0


if __name__ == "__main__":
    sys.exit(main())
