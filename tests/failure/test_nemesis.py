"""The whole system under load while processes, networks, providers, disks and databases fail: no promise is broken.

`python -m tests.failure --rounds 50` does the same for longer.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.failure.audit import audited
from tests.failure.history import History, kept_history
from tests.failure.mesh import Mesh, running_mesh
from tests.failure.nemesis import Nemesis, databases, disks, moods
from tests.failure.receiver import listening
from tests.failure.rounds import Findings, Scene, examine, report, torment
from tests.failure.seen import Onlooker
from tests.failure.shop import Shops
from tests.fakes.postgres_server import PostgresServer

# Much more than it takes: the bounds inside say what hangs, and this one only that something does.
pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

_SEED = 7
_ROUNDS = 2
_ROUNDS_AFTER_TAKING_OVER = 1


@asynccontextmanager
async def loaded(mesh: Mesh, history: History) -> AsyncIterator[Scene]:
    """Have shops with another system that hears of orders, and close them in the end."""
    shops = Shops(mesh.rest_url, mesh.sandbox_url, history, random.Random(_SEED))
    async with listening(mesh.rest_url) as receiver:
        try:
            yield Scene(mesh, shops, Onlooker(mesh.rest_url, mesh.sandbox_url, receiver))
        finally:
            await shops.abandon()


async def test_no_promise_is_broken_on_sqlite(tmp_path: Path) -> None:
    found, rng = Findings(), random.Random(_SEED)
    with kept_history(tmp_path / "history.jsonl") as history:
        async with running_mesh(tmp_path) as mesh, loaded(mesh, history) as scene:
            harm = {**disks(mesh, rng), **moods(scene.onlooker.receiver, rng)}
            await torment(scene, Nemesis(mesh, rng, history, found.counts, harm), rng, _ROUNDS, found)
            audit = await audited(mesh.parts["gateway"].values)

        assert not found.complaints, report(found, history, _SEED)
    assert found.counts["kill"]
    assert found.charges
    assert audit == "clean"


@pytest.mark.postgres
async def test_no_promise_is_broken_by_replicas_on_postgres(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str
) -> None:
    found, rng = Findings(), random.Random(_SEED)
    with kept_history(tmp_path / "history.jsonl") as history:
        async with running_mesh(tmp_path, postgres_url, replicas=3) as mesh, loaded(mesh, history) as scene:
            await take_over(scene, found)
            harm = {
                **databases(mesh, rng, postgres_server, postgres_url),
                **moods(scene.onlooker.receiver, rng),
            }
            nemesis = Nemesis(mesh, rng, history, found.counts, harm)
            await torment(scene, nemesis, rng, _ROUNDS_AFTER_TAKING_OVER, found)
            audit = await audited(mesh.parts["gateway"].values)

        assert not found.complaints, report(found, history, _SEED)
    assert audit == "clean"


async def take_over(scene: Scene, found: Findings) -> None:
    """Of three replicas that hold orders, one dies and one sleeps longer than its leases: the third takes over."""
    mesh, shops = scene.mesh, scene.shops
    async with httpx.AsyncClient(timeout=30) as client:
        slow = {"mode": "latency", "operation": "payment_intents.confirm", "latency_ms": 1500}
        await client.put(f"{mesh.sandbox_url}/faults/stripe", json=slow)
        shops.open()
        held: set[str] = set()
        while len(held) < 3:
            answer = (await client.get(f"{mesh.rest_url}/api/v1/orders", params={"state": "PENDING"})).json()
            held |= {order["order_id"] for order in answer["orders"]}
            await asyncio.sleep(0.05)
        await mesh.parts["order"].kill()
        mesh.parts["order-2"].freeze()
        await client.delete(f"{mesh.sandbox_url}/faults")

        # Every shop gets its answer from the one that is left, also about the orders that the others held.
        await shops.close()

        mesh.parts["order-2"].thaw()
        await mesh.revive()
        await examine(scene, found)
        for order_id in held:
            story = (await client.get(f"{mesh.rest_url}/api/v1/orders/{order_id}:explain")).json()
            versions = [event["version"] for event in story["events"] if event["cause"] != "outbox"]
            assert sorted(versions) == list(range(1, story["order"]["version"] + 1))
