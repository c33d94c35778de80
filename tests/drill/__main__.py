"""`python -m tests.drill`: each provider goes away in turn, and a real Prometheus says so, no more and no less.

Some ten minutes: alerts wait on purpose. Needs the `prometheus` command (Debian: `apt install prometheus`).
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.drill.run import drill


def main() -> int:
    """Run the drill; 1 when an alert was missing, or there was one too many."""
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        sys.exit("The drill needs Prometheus: `apt install prometheus`, or https://prometheus.io/download.")
    with tempfile.TemporaryDirectory() as folder:
        good = True
        for line, fine in drill(prometheus, Path(folder)):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            good = good and fine
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
