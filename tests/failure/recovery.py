"""How long it takes until orders are paid again after something was away: figures for a page, never a test."""

import asyncio

from tests.failure.rounds import Findings, Scene, examine, until_success
from tests.fakes.postgres_server import PostgresServer

# Longer than the pauses between tries have stopped growing, as in an outage that somebody notices.
_AWAY_SECONDS = 20.0


async def measure(scene: Scene, server: PostgresServer | None, found: Findings) -> None:
    """Take things away and bring them back, under load, and note the seconds until the next order is paid.

    Args:
        scene: The system under load.
        server: PostgreSQL, when the services use it.
        found: Added to.
    """
    mesh, shops = scene.mesh, scene.shops
    shops.open()
    await until_success(scene)
    for name in ("payment", "tax"):
        part = mesh.parts[name]
        await part.kill()
        await asyncio.sleep(_AWAY_SECONDS)
        await part.start()
        found.recovery[f"{name} away for {_AWAY_SECONDS:.0f} s"].append(await until_success(scene))

        part.freeze()
        await asyncio.sleep(_AWAY_SECONDS)
        part.thaw()
        found.recovery[f"{name} frozen for {_AWAY_SECONDS:.0f} s"].append(await until_success(scene))
    if server is not None:
        server.crash()
        found.recovery["PostgreSQL killed"].append(await until_success(scene))
        for link in mesh.databases:
            link.silence()
        await asyncio.sleep(_AWAY_SECONDS)
        for link in mesh.databases:
            link.heal()
        name = f"PostgreSQL behind a black hole for {_AWAY_SECONDS:.0f} s"
        found.recovery[name].append(await until_success(scene))
    found.recovery["longest answer"].append(shops.longest_answer)
    await examine(scene, found)
