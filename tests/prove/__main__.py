"""`python -m tests.prove`: run everything that proves the promises, and write the page of its figures.

Exit code 1 when a promise was broken, a variant of the product was not caught, a fault happened too seldom somewhere
where it can, or a seed told another story the second time.
"""

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from tests.prove.page import page
from tests.prove.plan import Plan
from tests.prove.proof import Proof
from tests.prove.run import prove

_PAGE = Path("docs/proof.md")
_FOLDER = Path("build")
_TENTHS = 10


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to try it out")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes share the simulated worlds")
    parser.add_argument("--page", type=Path, help="where the page goes (docs/proof.md; quick: build/proof.md)")
    parser.add_argument("--seeds", type=int, help="draw so many worlds")
    parser.add_argument("--mutant-seeds", type=int, help="catch variants within so many worlds")
    parser.add_argument("--rounds", type=int, help="harm the real processes so often")
    parser.add_argument("--own", action="store_true", help="of each path only what no path before it has")
    parser.add_argument("--once", action="store_true", help="let nothing go wrong a second time on a path")
    wanted = parser.parse_args()
    plan = Plan(command=" ".join(("python -m tests.prove", *sys.argv[1:])), jobs=wanted.jobs)
    if wanted.quick:
        plan = plan.tenth()
    plan = plan.divided(wanted.seeds, wanted.mutant_seeds, wanted.rounds, own=wanted.own, once=wanted.once)
    commit = _commit()
    heed_sigterm()
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        proof = prove(plan, _FOLDER, Bars(progress) if console.is_terminal else tell_tenths)
    proof.commit = commit
    return written(proof, wanted.page or (_FOLDER / _PAGE.name if wanted.quick else _PAGE), _FOLDER)


def heed_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: after everything that it has started."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def written(proof: Proof, markdown: Path, folder: Path) -> int:
    """Write the page and the figures, say how it ended, and return the exit code."""
    text = page(proof)
    markdown.write_text(text)
    everything = {**proof.figures(), "broken": [*proof.worlds.broken, *map(str, proof.pass_.broken)]}
    (folder / "proof.json").write_text(json.dumps(everything, indent=2) + "\n")
    sys.stdout.write(text.partition("\n## Every fault")[0] + f"\n\nAll of it: {markdown}\n")
    return 0 if proof.holds else 1


class Bars:
    """A bar on the terminal for each part of the work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, of: int) -> None:
        if what not in self._bars:
            self._bars[what] = self._progress.add_task(what, total=of)
        self._progress.update(self._bars[what], completed=done, total=of)


def tell_tenths(what: str, done: int, of: int) -> None:
    """Write a line for each tenth of each part of the work: a log has no bars."""
    tenths = _TENTHS / max(1, of)
    if int(done * tenths) > int((done - 1) * tenths) or done == 0:
        sys.stderr.write(f"{what}: {done} of {of}\n")
        sys.stderr.flush()


def _commit() -> str:
    """Return the version that was proved, with a word when files were changed since."""
    known = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return known.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
