"""The first signal stops what runs in good order; a second one does not wait for it."""

import signal
import subprocess
import sys

import pytest

# A service that never gets done with stopping, run as `ordermesh up` and `serve` run theirs.
_PROGRAM = """
import asyncio
import contextlib

from chassis import process
from chassis.service import until_stopped


@contextlib.asynccontextmanager
async def stubborn():
    print("running", flush=True)
    try:
        yield ""
    finally:
        print("stopping", flush=True)
        await asyncio.Event().wait()


process.run(until_stopped(stubborn()))
"""


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_process_at_once(second: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "stopping\n"
            process.send_signal(second)
            assert process.wait(30) == -second
        finally:
            process.kill()
