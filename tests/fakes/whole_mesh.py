"""The whole mesh, each part a process of its own, as a shop and an onlooker at the providers meet it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.readyz import sees_all

Json = dict[str, Any]
T = TypeVar("T")

EXAMPLE: Json = json.loads((Path(__file__).parents[2] / "examples" / "order.json").read_text())
_PARTS = ("sandbox", "tax", "payment", "notify", "order", "gateway")

# What has to happen by itself is waited for this long: it takes about a second on an idle machine.
PATIENCE_SECONDS = 90.0


class Mesh:
    """Six processes.

    Args:
        values: The environment of each.
        folder: Where their logs go.

    Attributes:
        parts: Those that were started, by name.
    """

    def __init__(self, values: dict[str, str], folder: Path) -> None:
        self.values = values
        self._folder = folder
        self.parts: dict[str, MeshProcess] = {}

    def start(self, *names: str) -> None:
        """Start parts and wait until each listens."""
        for name in names:
            self.parts[name] = MeshProcess(["serve", name], self.values, self._folder / f"{name}.log")
        for name in names:
            self.parts[name].wait_until("listens on")
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        """Wait until the gateway sees every service serving; a part that was restarted is found within a second."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not sees_all(httpx.get(f"http://{self.values['ORDERMESH_GATEWAY_ADDR']}/readyz")):
            assert time.monotonic() < end, "the gateway did not see every service serving"
            time.sleep(0.1)

    def stop(self) -> None:
        """End all of them at once."""
        for part in self.parts.values():
            part.kill()


@contextmanager
def running_mesh(folder: Path, **settings: str) -> Iterator[Mesh]:
    """Run all parts while the context is open.

    Args:
        folder: Where data and logs go.
        settings: Variables of the environment of each part.
    """
    mesh = Mesh({**environment(folder / "data"), **settings}, folder)
    try:
        mesh.start(*_PARTS)
        yield mesh
    finally:
        mesh.stop()


async def place(rest: httpx.AsyncClient, key: str, **changes: object) -> httpx.Response:
    """Place an order as a shop does: while a service cannot be reached, again with the same key."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = await rest.post("/orders", json={**EXAMPLE, **changes}, headers={"Idempotency-Key": key})
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > end:
            return answer
        await asyncio.sleep(0.2)


async def ledger(sandbox: httpx.AsyncClient, order_id: str) -> Json:
    """Return what the providers have done for an order: its charges, refunds, documents and mails."""
    answer: Json = (await sandbox.get("/ledger", params={"order_id": order_id})).json()
    return answer


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Return the first thing that `look` finds; it is what happens by itself, in another process."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := await look()):
        assert time.monotonic() < end, f"it did not happen within {PATIENCE_SECONDS:.0f} s"
        await asyncio.sleep(0.1)
    return found
