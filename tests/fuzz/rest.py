"""REST requests from our OpenAPI document, right and wrong, by schemathesis against a real gateway and mesh."""

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import rest_refused

PHASES = "coverage,fuzzing,stateful"
_HOOKS = Path(__file__).with_name("rest_hooks.py")
_COUNT = "answers.json"


@dataclass(frozen=True, slots=True)
class Ran:
    """What schemathesis said.

    Attributes:
        passed: Every check of every request did.
        cases: How many requests it made.
        said: All of it.
        answers: How often each operation was answered with each status, as "GET /api/v1/orders 200".
    """

    passed: bool
    cases: int
    said: str
    answers: Counter[str] = field(default_factory=Counter)


async def fuzz(url: str, folder: Path, examples: int, seed: int, phases: str = PHASES) -> Ran:
    """Run every check over all operations.

    Args:
        url: The gateway's.
        folder: Where schemathesis may keep its files.
        examples: How many requests of each kind to make for each operation, at most.
        seed: What all draws come from.
        phases: Of schemathesis.
    """
    hooks = f"hooks = {json.dumps(str(_HOOKS))}\n"
    (folder / "schemathesis.toml").write_text(hooks + rest_refused.configuration(), encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--phases", phases]
    checks = ["--checks", "all", "--continue-on-failure"]
    bounds = ["--max-examples", str(examples), "--seed", str(seed), "--no-color", "--request-timeout", "20"]
    ran = await asyncio.to_thread(
        subprocess.run, [*command, *checks, *bounds], cwd=folder, check=False, capture_output=True, text=True
    )
    said = ran.stdout + ran.stderr
    generated = re.search(r"(\d+) generated", said)
    answers = Counter[str](json.loads((folder / _COUNT).read_text(encoding="utf-8")))
    return Ran(ran.returncode == 0, int(generated[1]) if generated else 0, said, answers)


def table(answers: Counter[str]) -> str:
    """Return how often each operation was answered with each status, as a person reads it."""
    operations = sorted({each.rpartition(" ")[0] for each in answers}, key=lambda name: name.split(" ")[::-1])
    statuses = sorted({each.rpartition(" ")[2] for each in answers})
    width = max(map(len, operations), default=0)
    lines = [" " * width + "".join(f"{status:>7}" for status in statuses)]
    for name in operations:
        counts = [answers[f"{name} {status}"] for status in statuses]
        lines.append(f"{name:{width}}" + "".join(f"{count or '':>7}" for count in counts))
    return "\n".join(lines)
