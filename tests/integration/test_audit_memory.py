"""However large the shop, an audit needs the same memory."""

import subprocess
import sys

import pytest

# SQLite's own cache, which a small shop does not fill, and some room for chance. What is kept in memory and not in the
# file shows: the rows of 15,000 orders more take 40 MiB.
_FLAT_KIB = (16 + 4) * 1024


def audited(orders: int) -> tuple[int, int]:
    """Return how many differences a shop of that size has, and the memory that finding them took, in KiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.audit_at_scale", str(orders)], capture_output=True, text=True, check=True
    )
    differences, peak, _ = done.stdout.split()
    return int(differences), int(peak)


@pytest.mark.long
def test_four_times_the_orders_take_no_more_memory() -> None:
    (few, small), (many, large) = audited(5_000), audited(20_000)

    assert (few, many) == (5, 20)
    assert large - small < _FLAT_KIB
