"""REST requests from our OpenAPI document, right and wrong, by schemathesis against a real gateway and mesh."""

import asyncio
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# What a request that keeps to the document may still be refused for: prices in two currencies, a currency that is none,
# a card number, a state that does not allow it, a decline. The document describes shapes, and those are no shapes.
_NOT_SHAPES = "positive_data_acceptance"


@dataclass(frozen=True, slots=True)
class Ran:
    """What schemathesis said.

    Attributes:
        passed: Every check of every request did.
        cases: How many requests it made.
        said: All of it.
    """

    passed: bool
    cases: int
    said: str


async def fuzz(url: str, folder: Path, examples: int, seed: int, phases: str = "coverage,fuzzing,stateful") -> Ran:
    """Run every check over all operations.

    Args:
        url: The gateway's.
        folder: Where schemathesis may keep its files.
        examples: How many requests of each kind to make for each operation, at most.
        seed: What all draws come from.
        phases: Of schemathesis.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--phases", phases]
    checks = ["--checks", "all", "--exclude-checks", _NOT_SHAPES, "--continue-on-failure"]
    bounds = ["--max-examples", str(examples), "--seed", str(seed), "--no-color", "--request-timeout", "20"]
    ran = await asyncio.to_thread(
        subprocess.run, [*command, *checks, *bounds], cwd=folder, check=False, capture_output=True, text=True
    )
    said = ran.stdout + ran.stderr
    generated = re.search(r"(\d+) generated", said)
    return Ran(ran.returncode == 0, int(generated[1]) if generated else 0, said)
