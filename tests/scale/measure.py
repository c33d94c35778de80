"""What an order costs a database that holds few orders, and one that holds many: in turns, on one server."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.scale.life import live
from tests.scale.shelf import Shelf, execute, shelf

# How long an idle session keeps its counts to itself, and a second.
_UNTIL_TOLD_SECONDS = 11.0

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one order, through all its commits and reads.

    Attributes:
        server_ms: CPU of the database's sessions.
        client_ms: CPU of the services' storage code.
        pages: That the server looked at, in memory or not.
    """

    server_ms: float
    client_ms: float
    pages: float


@dataclass(slots=True)
class _Side:
    url: str
    shelf: Shelf
    turns: list[tuple[float, float]]


async def costs(urls: Sequence[str], *, rounds: int, orders: int) -> list[Cost]:
    """Return the median cost of an order in each of the databases.

    Args:
        urls: The databases; they take turns, so that what else the machine does hits all of them.
        rounds: How often each has its turn; the first warms up.
        orders: Of one turn, one after the other.
    """
    async with AsyncExitStack() as stack:
        sides = [_Side(url, await stack.enter_async_context(shelf(url)), []) for url in urls]
        for side in sides:
            await _turn(side, orders)
        before = [await _pages(side.url) for side in sides]
        for turn in range(rounds):
            for side in sides if turn % 2 else reversed(sides):
                side.turns.append(await _turn(side, orders))
        after = [await _pages(side.url) for side in sides]
    return [
        Cost(
            median(server for server, _ in side.turns),
            median(client for _, client in side.turns),
            (last - first) / (rounds * orders),
        )
        for side, first, last in zip(sides, before, after, strict=True)
    ]


async def _turn(side: _Side, orders: int) -> tuple[float, float]:
    """Return the milliseconds of CPU that the server and the storage code have spent on an order."""
    server, client = await _cpu_of_sessions(side.url), time.process_time()
    for _ in range(orders):
        await live(side.shelf)
    client = time.process_time() - client
    server = await _cpu_of_sessions(side.url) - server
    return server * 1000 / orders, client * 1000 / orders


async def _pages(url: str) -> float:
    await asyncio.sleep(_UNTIL_TOLD_SECONDS)
    (found,) = await execute(
        url, "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
    )
    ((count,),) = found
    return float(str(count))


async def _cpu_of_sessions(url: str) -> float:
    sessions = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    (found,) = await execute(url, sessions)
    return sum(_cpu(int(str(pid))) for (pid,) in found)


def _cpu(pid: int) -> float:
    # After the name in brackets, which may hold anything: state, ten others, utime, stime.
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
