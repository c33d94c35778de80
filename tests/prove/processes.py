"""The rounds on real processes, which run beside the simulated worlds: they mostly wait."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Rounds:
    """Rounds of harm, while they run.

    Args:
        command: What harms and heals; it is told with `--json FILE` where its figures go, exits with 1 when a promise
            was broken, and ends when its standard input does.
        folder: Where the figures go, and what the command says.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._figures = folder / "failure.json"
        self._figures.unlink(missing_ok=True)
        with (folder / "failure.log").open("wb") as said:
            # Its input ends with this process, however that ends.
            self._running = subprocess.Popen(
                [*command, "--json", str(self._figures)],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def figures(self) -> dict[str, Any]:
        """Wait for the end and return the figures, as tests/failure/__main__.py writes them."""
        code = self._running.wait()
        self._close()
        if not self._figures.exists():
            return {"rounds": 0, "violations": [f"the rounds ended with exit code {code} and without figures"]}
        figures: dict[str, Any] = json.loads(self._figures.read_text())
        if code and not figures["violations"]:
            figures["violations"] = [f"the rounds ended with exit code {code}"]
        return figures

    def stop(self) -> None:
        """End it, if it still runs."""
        if self._running.poll() is None:
            self._running.terminate()
            self._running.wait()
        self._close()

    def _close(self) -> None:
        assert self._running.stdin is not None
        self._running.stdin.close()
