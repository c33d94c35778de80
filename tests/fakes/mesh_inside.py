"""The whole mesh within the test's own process and loop, as `ordermesh up` runs it: no interpreter has to start."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from chassis.telemetry.setup import Telemetry, start_telemetry
from cli import mesh
from tests.fakes.mesh_process import environment

_CALL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class MeshInside:
    """It, and who talks to it.

    Attributes:
        data_dir: Where its span store lies.
        telemetry: What it records with.
        rest: Calls its API; paths begin below /api/v1.
        sandbox: Calls its providers' levers.
    """

    data_dir: Path
    telemetry: Telemetry
    rest: httpx.AsyncClient
    sandbox: httpx.AsyncClient


@asynccontextmanager
async def mesh_inside(folder: Path, **settings: str) -> AsyncIterator[MeshInside]:
    """Run it while the context is open.

    Args:
        folder: Where its data goes.
        settings: Variables of its environment.
    """
    data_dir = folder / "data"
    values = {**environment(data_dir), **settings}
    telemetry = start_telemetry("ordermesh", data_dir, None)
    try:
        async with AsyncExitStack() as stack:
            for part in mesh.whole(values):
                await stack.enter_async_context(part.run(telemetry.for_service(part.name)))
            rest, sandbox = [
                await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=_CALL_SECONDS))
                for url in (
                    f"http://{values['ORDERMESH_GATEWAY_ADDR']}/api/v1",
                    f"http://{values['SANDBOX_ADDR']}",
                )
            ]
            yield MeshInside(data_dir, telemetry, rest, sandbox)
    finally:
        await telemetry.aclose()
