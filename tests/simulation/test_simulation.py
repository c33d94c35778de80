"""Worlds in which everything goes wrong: no promise is broken while it does, and all is settled when it has ended."""

import os
import subprocess
import sys

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, caught
from tests.simulation.run import run

# Twenty seconds of a core, in tests of some seconds, so that two processes share them; `make prove` runs thousands.
_BLOCKS = 5
_SEEDS_IN_A_BLOCK = 20


@pytest.mark.parametrize("block", range(_BLOCKS))
def test_no_world_breaks_a_promise(block: int) -> None:
    for seed in range(block * _SEEDS_IN_A_BLOCK, (block + 1) * _SEEDS_IN_A_BLOCK):
        result = run(seed)
        assert result.violations == [], f"see it with: python -m tests.simulation --start {seed} --seeds 1"


def test_a_seed_tells_the_same_story_every_time() -> None:
    assert [run(seed).digest for seed in (3, 5, 8)] == [run(seed).digest for seed in (3, 5, 8)]


def test_a_seed_tells_the_same_story_in_a_process_with_other_hashes() -> None:
    script = "from tests.simulation.run import run; print([run(seed).digest for seed in (5, 14)])"
    stories = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": ".:stubs"},  # noqa: TID251  (handed on)
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(stories) == 1


# Those that are seen in almost every world; `python -m tests.simulation --mutants` tries all of them.
_GROSS = (
    "orders: an idempotency key is not kept",
    "orders: acknowledged before the commit",
    "orders: a move without its journal entry",
    "saga: a paid order leaves no tasks",
    "saga: the mail is due before the charge",
    "sweeper: does nothing",
    "outbox: an unknown outcome counts as done",
    "outbox: done without asking",
    "cancel: an unanswered charge counts as none",
    "commands: the etag is ignored",
    "mails: one for each try",
    "payments: money moves before the intent's id is stored",
    "payments: created and confirmed in one",
    "events: answered before they are stored",
)


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.name in _GROSS], ids=lambda mutant: mutant.name)
def test_a_product_that_is_known_to_be_bad_is_caught(mutant: Mutant) -> None:
    assert caught(mutant, range(20)) is not None
