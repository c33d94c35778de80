"""`python -m tests.scale.pages --orders N`: how long the console's pages take when N orders are stored.

Fills a PostgreSQL of its own, runs the whole mesh on it, and asks for each page again and again, as a browser does.
Ends with 1 when 95 of 100 answers of a page were not there within 200 ms. The figures in docs/scale.md are its output.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import httpx

from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.postgres_server import PostgresServer
from tests.scale import fill, life
from tests.scale.shelf import execute, prepared, shelf

# The aim: a person does not notice the wait.
_MOST_MS = 200.0
_WARM_UP = 5
_ASKED = 60

# The newest orders of the filling are under way, and this mesh's providers do not know them: it settles that first.
_SETTLING_SECONDS = 20.0


def main() -> int:
    """Fill, run, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--orders", type=int, default=100_000, help="stored orders (default: %(default)s)")
    asked = parser.parse_args()
    server = PostgresServer(shared_buffers="512MB", max_wal_size="2GB")
    try:
        server.start()
        url = server.create_database()
        samples = asyncio.run(_filled(url, asked.orders))
        with _mesh(url) as client:
            time.sleep(_SETTLING_SECONDS)
            return _measured(client, samples)
    finally:
        server.stop()


async def _filled(url: str, orders: int) -> dict[str, str]:
    """Fill the database, and return the paths of the pages that are asked for, by what they show."""
    await prepared(url)
    async with shelf(url) as opened:
        await life.pattern(opened)
    await fill.fill(url, orders)
    some, customer = await execute(
        url,
        "SELECT order_id FROM orders WHERE state = 'DELIVERED' ORDER BY order_id OFFSET 1000 LIMIT 1",
        "SELECT customer_id FROM orders WHERE state = 'DELIVERED' ORDER BY order_id OFFSET 1000 LIMIT 1",
    )
    ((mail,),) = (
        await execute(url, f"SELECT notification_id FROM notifications WHERE order_id = '{some[0][0]}' LIMIT 1")
    )[0]
    _say(f"{orders} orders are stored")
    return {
        "board": "/console",
        "newest orders": "/console/orders",
        "orders that failed": "/console/orders?state=FAILED",
        "orders that need review": "/console/orders?needs_review=true",
        "orders of a customer": f"/console/orders?customer_id={customer[0][0]}",
        "orders by reference": "/console/orders?reference_prefix=shop-77",
        "one order": f"/console/orders/{some[0][0]}",
        "one mail": f"/console/mails/{mail}",
    }


@contextmanager
def _mesh(url: str) -> Iterator[httpx.Client]:
    with tempfile.TemporaryDirectory() as folder:
        values = {**environment(Path(folder) / "data"), "ORDERMESH_DATABASE_URL": url}
        mesh = MeshProcess(["up"], values, Path(folder) / "log")
        try:
            mesh.wait_until("Ctrl-C stops")
            with httpx.Client(base_url=f"http://{values['ORDERMESH_GATEWAY_ADDR']}", timeout=30.0) as client:
                yield client
        finally:
            mesh.signal(signal.SIGTERM)
            mesh.wait()


def _measured(client: httpx.Client, pages: dict[str, str]) -> int:
    """Ask for the pages in turns, so that what else the machine does hits all of them, and say how long each took."""
    took: dict[str, list[float]] = {name: [] for name in pages}
    for turn in range(_WARM_UP + _ASKED):
        for name, path in pages.items():
            began = time.perf_counter()
            client.get(path).raise_for_status()
            if turn >= _WARM_UP:
                took[name].append((time.perf_counter() - began) * 1000)
    _say("")
    _say("| page | median, ms | 95 of 100 within, ms |")
    _say("| --- | ---: | ---: |")
    late = []
    for name, each in took.items():
        most = quantiles(each, n=20)[-1]
        _say(f"| {name} | {median(each):.0f} | {most:.0f} |")
        if most > _MOST_MS:
            late.append(name)
    _say("")
    _say(f"later than {_MOST_MS:.0f} ms: {', '.join(late) or 'none'}")
    return int(bool(late))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
