"""Audits a large shop and prints how many differences there are, the largest resident set in KiB, and the seconds.

Run as a process of its own, so that the memory is that of the audit alone: python -m tests.fakes.audit_at_scale 1000000
"""

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.fakes.audit_world import LargeShop, differences_of


def main() -> None:
    """Audit a shop with as many orders as the argument says."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(differences_of(LargeShop(int(sys.argv[1])), Path(folder)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(f"{len(found)} {peak} {time.monotonic() - began:.1f}\n")


if __name__ == "__main__":
    main()
