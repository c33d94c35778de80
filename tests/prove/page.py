"""The page that a run writes: its figures for people, in Markdown."""

from collections.abc import Iterable
from typing import Any

from tests.prove.plan import Plan
from tests.prove.proof import Proof
from tests.prove.worlds import Tried
from tests.simulation.table import tables

_SHOWN_BROKEN = 5

_INTRODUCTION = """\
What is promised, and how it is proved, is told in [reliability.md](reliability.md). This page is written by the command
below, and says what one run of it has found.
"""

_SMALL = """\
**This is not a full run.** It tries out the machinery with less of everything; `make prove` does all of it, and
replaces this page. What was left out: {}.
"""

_MUTANTS = """\
A simulation proves something when it sees what is wrong. Each of these variants of the product has a mistake, and
worlds from seed 0 on are run with it until one breaks a promise. Where it takes several things together to see it, that
is a path of the exhaustive pass, which is played first.
"""

_PROCESSES = """\
The four services, the gateway and the sandbox as processes, killed, frozen and cut off under a steady load of orders;
then what clients were told is compared with the ledgers and the databases.
"""

_CELLS = """\
How often each thing that can go wrong did go wrong at each place where it can, in the worlds that seeds drew and in the
exhaustive pass together. Where that was too seldom, the case in which it happens is repeated with other seeds. A dash:
it cannot happen there.
"""


def page(proof: Proof) -> str:
    """Return the page."""
    parts = [
        f"# {proof.plan.name}",
        _INTRODUCTION,
        *([] if proof.plan.full else [_SMALL.format(_left_out(proof.plan))]),
        f"**{_verdict(proof)}**",
        *_broken(proof),
        "## What was run, and what it showed",
        _rows(("Figure", "Value"), _figures(proof)),
        "## Known-bad variants of the product",
        _MUTANTS,
        _rows(
            ("What is wrong with it", "Worlds until it is caught", "By"),
            ((each.name, _worlds(each), _promise(each.said)) for each in proof.tried),
        ),
        *_processes(proof.processes),
        "## Every fault at every point",
        _CELLS,
        tables(proof.hits, proof.hits),
        *_outages(proof),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _left_out(plan: Plan) -> str:
    """Return what a full run has that this one has not."""
    full = Plan()
    counts = {
        "worlds": (plan.seeds, full.seeds),
        "worlds for each variant": (plan.mutant_seeds, full.mutant_seeds),
        "variants": (len(plan.mutants), len(full.mutants)),
        "seeds run twice": (plan.replays, full.replays),
        "paths": (len(plan.paths) + len(plan.long_paths), len(full.paths) + len(full.long_paths)),
        "paths with a second fault": (len(plan.pairs), len(full.pairs)),
        "rounds on real processes": (plan.rounds, full.rounds),
    }
    told = [f"{ours:,} of {all_:,} {what}" for what, (ours, all_) in counts.items() if ours < all_]
    if plan.own:
        told.append("on each path, moments until which it is the same as a path before it")
    return "; ".join(told)


def _verdict(proof: Proof) -> str:
    if proof.holds:
        return "Every promise held, every variant was caught, every cell was hit."
    told = {
        "promises were broken {} times": proof.violations,
        "{} variants were not caught": len(proof.missed),
        "{} cells were hit too seldom": len(proof.thin),
        "{} cases never came to what was to go wrong": len(proof.pass_.unreached),
        "{} seeds told another story": proof.plan.replays - proof.same,
    }
    return "It does not hold: " + ", ".join(text.format(count) for text, count in told.items() if count) + "."


def _figures(proof: Proof) -> Iterable[tuple[object, ...]]:
    plan, figures, hits = proof.plan, proof.figures(), proof.hits
    mutants = figures["mutants"]
    yield "Command", f"`{plan.command}`"
    yield "Version", f"`{proof.commit}`"
    yield "Promises broken", proof.violations
    yield "Simulated worlds", f"{proof.worlds.seeds:,}, seeds 0 to {proof.worlds.seeds - 1:,}"
    yield "Processes killed in them", f"{proof.worlds.kills:,}"
    yield "Cases of the exhaustive pass", f"{proof.pass_.cases:,} on {figures['exhaustive']['paths']} paths"
    if plan.pairs:
        yield "With a second fault after each, on", ", ".join(plan.pairs)
    yield "Processes killed in it", f"{proof.pass_.kills:,}"
    yield "Simulated hours", f"{figures['simulated_hours']:,}"
    yield "Faults", f"{sum(proof.kinds.values()):,} of {len(proof.kinds)} kinds"
    yield (
        f"Cells of the table hit {plan.least_hits} times or more",
        f"{len(hits) - len(proof.thin)} of {len(hits)}; the rarest {min(hits.values(), default=0)} times",
    )
    yield "Seeds that told the same story twice", f"{proof.same} of {plan.replays}"
    yield "Variants caught", f"{mutants['caught']} of {mutants['of']}, within {plan.mutant_seeds:,} worlds each"
    yield "Worlds until a variant was caught", f"median {mutants['median_seeds']}, worst {mutants['worst_seeds']}"
    if proof.processes:
        kills = sum(proof.processes.get("kills", {}).values())
        yield "Rounds on real processes", f"{proof.processes['rounds']}, {kills} times `kill -9`"
    yield "Took", f"{proof.seconds / 60:.1f} minutes on {proof.cores} cores"
    yield from ((f"{name}, seconds of a core", f"{seconds:,}") for name, seconds in figures["core_seconds"].items())


def _broken(proof: Proof) -> Iterable[str]:
    if proof.violations:
        yield "## Broken promises"
        told = [*proof.worlds.broken, *map(str, proof.pass_.broken)]
        yield from (f"```\n{each}```" for each in told[:_SHOWN_BROKEN])
        if len(told) > _SHOWN_BROKEN:
            yield f"And {len(told) - _SHOWN_BROKEN} more, in `build/proof.json`."
        if proof.processes and proof.processes["violations"]:
            yield "\n".join(f"* {each}" for each in proof.processes["violations"])
    if proof.pass_.unreached:
        yield "## Cases that never came to what was to go wrong"
        yield "\n".join(f"* `{each}`" for each in proof.pass_.unreached[:_SHOWN_BROKEN])
    if proof.thin:
        yield "## Cells that were hit too seldom"
        yield _rows(
            ("Fault", "Place", "Hits"), ((kind, f"`{place}`", proof.hits[kind, place]) for kind, place in proof.thin)
        )


def _outages(proof: Proof) -> Iterable[str]:
    if proof.outages:
        away = sorted((place, kind.removeprefix("outage of "), count) for (kind, place), count in proof.outages.items())
        yield _rows(("Providers away", "How long", "Worlds"), away)


def _worlds(tried: Tried) -> object:
    return f'the path "{tried.on}"' if tried.on else tried.seeds or "**not caught**"


def _promise(said: str) -> str:
    """Return the number of the promise that was broken, or that the product itself logged a defect."""
    return said.partition(":")[0].replace("logged", "its own log")


def _processes(figures: dict[str, Any] | None) -> Iterable[str]:
    if not figures:
        return
    yield "## Real processes"
    yield _PROCESSES
    simple = {
        "rounds": "Rounds",
        "seed": "Drawn from seed",
        "orders": "Orders",
        "told": "Orders of which clients were told",
        "charges": "Charges",
        "database": "Database",
        "audit": "`ordermesh audit` afterwards",
        "seconds": "Seconds",
        "core_seconds": "Seconds of a core",
    }
    yield _rows(("Figure", "Value"), ((said, figures[name]) for name, said in simple.items() if name in figures))
    yield _rows(("Killed", "Times"), sorted(figures.get("kills", {}).items()))
    yield _rows(("Otherwise harmed", "Times"), _harm(figures))
    yield _rows(
        ("Recovered", "Median, s", "Longest, s"),
        ((name, each["median"], each["max"]) for name, each in sorted(figures.get("recovery_seconds", {}).items())),
    )


def _harm(figures: dict[str, Any]) -> list[tuple[str, int]]:
    """Return what was done besides killing, which has a table of its own."""
    return sorted((name, count) for name, count in figures.get("harm", {}).items() if name != "kill")


def _rows(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
