"""`python -m tests.ledger --orders 10000 --seed 1`: random orders, and everybody's books of them to the minor unit."""

import argparse
import asyncio
import sys

from tests.ledger.run import AT_ONCE, report, run


def main() -> int:
    """Run what the command line asks for; 1 when anything disagrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.ledger", description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000, help="how many orders are placed")
    parser.add_argument("--seed", type=int, default=1, help="what all draws come from")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="how many are under way at the same time")
    wanted = parser.parse_args()
    outcome = asyncio.run(run(wanted.orders, wanted.seed, wanted.at_once))
    sys.stdout.write(f"{report(outcome)}\n")
    return 1 if outcome.wrong or outcome.audit != "clean" else 0


if __name__ == "__main__":
    raise SystemExit(main())
