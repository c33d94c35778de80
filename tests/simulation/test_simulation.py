"""Worlds in which everything goes wrong: no promise is broken while it does, and all is settled when it has ended."""

import os
import subprocess
import sys

import pytest

from tests.simulation.run import run

# A test each, so that two processes share them. Most seeds take some tenths of a second.
_BLOCKS = 12
_SEEDS_IN_A_BLOCK = 10


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
