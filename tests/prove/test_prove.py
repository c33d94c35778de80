"""The runner in its smallest form: what it finds decides its exit code and is on its page."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.prove.__main__ import tell_tenths, written
from tests.prove.page import page
from tests.prove.plan import Plan
from tests.prove.processes import Rounds
from tests.prove.proof import Proof
from tests.prove.run import prove
from tests.prove.worlds import Tried
from tests.simulation.exhaustive import Case
from tests.simulation.mutants import MUTANTS
from tests.simulation.paths import PATHS
from tests.simulation.script import play

_BAD = "orders: a move without its journal entry"

# The shortest path there is, two worlds, a variant that one of the first worlds catches; all of it in this process.
_SMALLEST = Plan(
    seeds=2,
    replays=1,
    paths=tuple(each for each in PATHS if each.name == "unknown card"),
    long_paths=(),
    variants=(0,),
    pairs=(),
    mutants=(_BAD,),
    mutant_seeds=20,
    rounds=0,
    least_hits=1,
    jobs=0,
)


def _prove(plan: Plan, folder: Path) -> Proof:
    return prove(plan, folder, lambda *_: None)


def test_a_product_that_keeps_its_promises_passes(tmp_path: Path) -> None:
    proof = _prove(_SMALLEST, tmp_path)

    code = written(proof, tmp_path / "proof.md", tmp_path)

    told = (tmp_path / "proof.md").read_text()
    figures = json.loads((tmp_path / "proof.json").read_text())
    assert (code, figures["broken"]) == (0, [])
    assert "Every promise held" in told
    assert "This is not a full run" in told
    (caught,) = (line for line in told.splitlines() if _BAD in line)
    assert caught.endswith("| P-8 |")
    assert figures["determinism"] == {"same": 1, "of": 1}
    assert figures["exhaustive"]["cases"] > 50
    assert figures["cells"]["kill stripe.create:after"] >= 1


def test_a_product_that_breaks_a_promise_fails(tmp_path: Path) -> None:
    (bad,) = (each for each in MUTANTS if each.name == _BAD)
    with bad.in_place():
        proof = _prove(replace(_SMALLEST, seeds=4, paths=(), mutants=()), tmp_path)

    code = written(proof, tmp_path / "proof.md", tmp_path)

    assert code == 1
    assert "It does not hold: promises were broken" in (tmp_path / "proof.md").read_text()
    assert "BROKEN: P-8" in "".join(json.loads((tmp_path / "proof.json").read_text())["broken"])


def test_a_case_that_breaks_a_promise_fails_and_tells_how_to_see_it_again(tmp_path: Path) -> None:
    proof = Proof(replace(_SMALLEST, replays=0))
    wrong = replace(PATHS[0], ends="FAILED")
    proof.pass_.saw(Case(wrong), play(wrong))

    assert written(proof, tmp_path / "proof.md", tmp_path) == 1
    told = (tmp_path / "proof.md").read_text()
    assert 'python -m tests.simulation.exhaustive --path "paid" --seed 0' in told
    assert "BROKEN: the path ends as PAID, not as FAILED" in told


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        ({"tried": [Tried("harmless", None, "")]}, "1 variants were not caught"),
        ({"same": 2}, "1 seeds told another story"),
        ({"processes": {"rounds": 1, "violations": ["an order is lost"]}}, "promises were broken 1 times"),
    ],
)
def test_any_flaw_fails(flaw: dict[str, object], said: str, tmp_path: Path) -> None:
    whole = Proof(replace(_SMALLEST, replays=3), same=3)
    assert written(whole, tmp_path / "proof.md", tmp_path) == 0

    assert written(replace(whole, **flaw), tmp_path / "proof.md", tmp_path) == 1  # type: ignore[arg-type]  # its fields
    assert said in (tmp_path / "proof.md").read_text()


def test_a_fault_that_happened_too_seldom_fails(tmp_path: Path) -> None:
    proof = Proof(replace(_SMALLEST, replays=0, least_hits=10))
    proof.worlds.hits["late", "stripe.create"] = 9
    proof.worlds.hits["kill", "stripe.create:after"] = 10

    assert written(proof, tmp_path / "proof.md", tmp_path) == 1
    assert "| late | `stripe.create` | 9 |" in (tmp_path / "proof.md").read_text()
    assert proof.thin == [("late", "stripe.create")]


def test_a_case_that_never_came_to_its_fault_fails(tmp_path: Path) -> None:
    proof = Proof(replace(_SMALLEST, replays=0))
    proof.pass_.unreached.append("never")

    assert written(proof, tmp_path / "proof.md", tmp_path) == 1
    assert "1 cases never came to what was to go wrong" in (tmp_path / "proof.md").read_text()


def test_only_a_full_run_is_called_one() -> None:
    assert "This is not a full run" not in page(Proof(Plan(jobs=8)))
    assert "This is not a full run" in page(Proof(replace(Plan(), seeds=9_999)))


def test_a_log_has_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    for done in range(201):
        tell_tenths("Worlds", done, 200)

    assert capsys.readouterr().err.splitlines() == [f"Worlds: {done} of 200" for done in range(0, 201, 20)]


# Its worker says when it works, then is busy for longer than anybody waits.
_BUSY = """
import time
from tests.prove.__main__ import heed_sigterm
from tests.prove.workers import workers

heed_sigterm()
with workers(1) as pool:
    pool.submit(print, "works", flush=True)
    pool.submit(time.sleep, 600).result()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_run(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _BUSY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"works\n"

        run.send_signal(number)

        # Everybody who could still write has ended.
        run.communicate(timeout=60)
        assert run.returncode != 0


def test_rounds_end_with_whoever_started_them() -> None:
    command = [sys.executable, "-m", "tests.failure", "--rounds", "1", "--ends-with-input"]

    assert subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False).returncode != 0


_WRITES = "import sys, pathlib; pathlib.Path(sys.argv[2]).write_text({text!r}); sys.exit({code})"


def _rounds(folder: Path, text: str, code: int) -> dict[str, object]:
    return Rounds([sys.executable, "-c", _WRITES.format(text=text, code=code)], folder).figures()


def test_rounds_on_real_processes_end_with_their_figures(tmp_path: Path) -> None:
    assert _rounds(tmp_path, '{"rounds": 3, "violations": []}', 0) == {"rounds": 3, "violations": []}


def test_rounds_that_fail_without_a_word_are_a_violation(tmp_path: Path) -> None:
    assert _rounds(tmp_path, '{"rounds": 3, "violations": []}', 2)["violations"] == [
        "the rounds ended with exit code 2"
    ]

    nothing = Rounds([sys.executable, "-c", "import sys; sys.exit(3)"], tmp_path).figures()
    assert nothing["violations"] == ["the rounds ended with exit code 3 and without figures"]
