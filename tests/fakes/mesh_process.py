"""The mesh, or one part of it, as a real process on ports of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fakes.unused_ports import unused_addresses

_ADDRESSES = ("SANDBOX_ADDR", "TAX_ADDR", "PAYMENT_ADDR", "NOTIFY_ADDR", "ORDER_ADDR", "ORDERMESH_GATEWAY_ADDR")
_STOP_SECONDS = 60


def environment(data_dir: Path) -> dict[str, str]:
    """Return an environment in which every part has a free port of its own."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ORDERMESH_")},  # noqa: TID251  (handed on)
        **dict(zip(_ADDRESSES, unused_addresses(len(_ADDRESSES)), strict=True)),
        "ORDERMESH_DATA_DIR": str(data_dir),
        # Most tests order the same: what AvaTax does in one of them must not be hidden by what it said in another.
        "TAX_QUOTE_CACHE_SECONDS": "0",
        # And of the same customer, whose cards are declined often.
        "ORDER_DECLINES_PER_HOUR": "0",
    }


class MeshProcess:
    """An `ordermesh` command that runs until it is stopped.

    Attributes:
        said: What it has written to standard output until it was ready.
    """

    def __init__(self, arguments: Sequence[str], values: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "cli", *arguments], env=values, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._log = log
        self.said = ""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def wait_until(self, last_words: str) -> None:
        """Return once it has written a line with these words."""
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.said += line
            if last_words in line:
                return
        raise AssertionError(f"it ended with {self.wait()}:\n{self.said}\n{self._log.read_text()}")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._popen.send_signal(number)

    def wait(self) -> int:
        """Return its exit code, once it has ended."""
        assert self._popen.stdout is not None
        self._popen.stdout.close()
        return self._popen.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """End it at once, unless it has ended by itself."""
        self._popen.kill()
        self.wait()

    def log(self) -> str:
        """Return what it wrote to standard error."""
        return self._log.read_text()


def ordermesh(*arguments: str, values: Mapping[str, str], given: str = "") -> "subprocess.CompletedProcess[str]":
    """Run an `ordermesh` command to its end, and return what it wrote."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=values,
        input=given,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
