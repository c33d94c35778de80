"""`python -m tests.scale --orders N`: what N stored orders cost, and whether any statement reads more for it.

Fills a PostgreSQL of its own, prints the plans that grow with the tables (none, or it ends with 1), and compares an
order's cost with that in a database of ten thousand orders. The figures in docs/scale.md are its output.
"""

import argparse
import asyncio
import sys
import time

from chassis.storage.retention import keep_to
from order_svc.adapters.retention import RULES
from tests.fakes.postgres_server import PostgresServer
from tests.scale import fill, life, measure, plans
from tests.scale.shelf import CLOCK, execute, prepared, shelf

_FEW = 10_000

# The aim: what is stored already makes an order no more than a fifth dearer.
_MOST_RATIO = 1.2

_JOURNAL = next(rule for rule in RULES if rule.name == "journal")
# Of the year that is stored, the oldest month.
_ELEVEN_MONTHS = 335

# A quarter of the memory of a small server, as PostgreSQL's manual advises. What it writes survives the machine.
_SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "30min",
    "fsync": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "max_wal_senders": "10",
}

# Nothing is measured while it is filled, and whatever then happens to the machine, it is filled anew.
_FILLING = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # On a file system that compresses, only pages that were written are (not those that were asked for in advance).
    "file_extend_method": "write_zeros",
}


def main() -> int:
    """Fill, explain, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--orders", type=int, default=1_000_000, help="stored orders (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="turns of each database (default: %(default)s)")
    parser.add_argument("--lives", type=int, default=40, help="orders of a turn (default: %(default)s)")
    asked = parser.parse_args()
    server = PostgresServer(**{**_SETTINGS, **_FILLING})
    try:
        server.start()
        return asyncio.run(_run(server, asked.orders, asked.rounds, asked.lives))
    finally:
        server.stop()


async def _run(server: PostgresServer, orders: int, rounds: int, lives: int) -> int:
    urls = []
    for count in (_FEW, orders):
        url = server.create_database()
        started = time.monotonic()
        await _filled(url, count)
        (size,) = await execute(url, "SELECT pg_size_pretty(pg_database_size(current_database()))")
        _say(f"{count} orders: {size[0][0]}, filled in {time.monotonic() - started:.0f} s")
        urls.append(url)
    await asyncio.to_thread(server.restart, **_SETTINGS)
    few, many = await measure.costs(urls, rounds=rounds, orders=lives)
    _say("")
    _say(f"| one order | {_FEW:,} stored | {orders:,} stored | ratio |")
    _say("| --- | ---: | ---: | ---: |")
    ratios = []
    for name, one, other in (
        ("CPU of the server, ms", few.server_ms, many.server_ms),
        ("CPU of the storage code, ms", few.client_ms, many.client_ms),
        ("CPU of both, ms", few.server_ms + few.client_ms, many.server_ms + many.client_ms),
        ("pages looked at", few.pages, many.pages),
    ):
        ratios.append(other / one)
        _say(f"| {name} | {one:.2f} | {other:.2f} | {other / one:.2f} |")
    server.log_statements(urls[1])
    since = server.log.stat().st_size
    async with shelf(urls[1]) as opened:
        await life.look_around(opened, await life.live(opened))
    seen = plans.asked(server.log, since)
    faults = await plans.faults(urls[1], seen)
    _say("")
    _say(f"{len(seen)} statements explained, {len(faults)} of them grow with the tables")
    for fault in faults:
        _say(f"{fault.what}: {fault.sql}")
    await _taken_away(urls[1])
    return int(bool(faults) or ratios[2] > _MOST_RATIO)


async def _taken_away(url: str) -> None:
    """Say how fast `ordermesh retention` is: it takes the journal of the oldest month away."""
    async with shelf(url) as opened:
        started = time.monotonic()
        taken = await keep_to(opened.store, _JOURNAL, _ELEVEN_MONTHS, CLOCK, dry_run=False)
        took = time.monotonic() - started
    _say("")
    _say(
        f"{taken.rows} journal entries deleted in {took:.0f} s, {taken.rows / took:.0f} a second,"
        f" the slowest window of {taken.windows} in {taken.slowest_seconds * 1000:.0f} ms"
    )


async def _filled(url: str, orders: int) -> None:
    await prepared(url)
    async with shelf(url) as opened:
        await life.pattern(opened)
    await fill.fill(url, orders, said=_say)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
