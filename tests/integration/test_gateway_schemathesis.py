"""What the OpenAPI document says is what the gateway does: schemathesis makes requests from it, right and wrong."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from chassis.serving.validation import ValidationLayer
from tests.fakes.gateway import a_gateway

# Some 200 requests: ten for each of twenty operations. With --phases coverage,fuzzing,stateful it would be thousands.
EXAMPLES = 10


def schemathesis(location: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run every check, with the same requests each time."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", location, "--phases", "fuzzing", "--checks", "all"]
    bounds = ["--max-examples", str(EXAMPLES), "--seed", "7", "--generation-deterministic", "--no-color"]
    return subprocess.run([*command, *bounds], cwd=folder, check=False, capture_output=True, text=True)


@pytest.mark.long
async def test_every_check_of_schemathesis_passes(tmp_path: Path) -> None:
    async with a_gateway() as world:
        world.backend.validation = ValidationLayer()
        world.backend.endless_streams = False

        run = await asyncio.to_thread(schemathesis, f"http://{world.host}:{world.port}/openapi.json", tmp_path)

    assert run.returncode == 0, run.stdout + run.stderr
    assert len(world.backend.calls) > EXAMPLES
