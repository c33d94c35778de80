"""How a gateway stops: balancers hear of it first, then clients on open connections, then it is gone."""

import asyncio

import httpx
import pytest

from tests.fakes.gateway import World, a_gateway

# Longer than anything here takes; the tests do not wait for its end.
LONG = 30.0


async def leaving(world: World) -> asyncio.Task[None]:
    """Begin to stop the gateway, and return once it has begun to drain."""
    stopping = asyncio.create_task(world.gateway.stop(drain_seconds=LONG))
    await world.gateway.readiness.until(ready=False)
    return stopping


async def ended(stopping: asyncio.Task[None]) -> None:
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)


async def test_a_gateway_that_stops_is_not_ready_and_still_serves() -> None:
    async with a_gateway() as world:
        before = await world.http.get("/api/v1/orders/x")
        stopping = await leaving(world)
        ready = await world.http.get("/readyz")
        alive = await world.http.get("/healthz")
        order = await world.http.get("/api/v1/orders/x")
        await ended(stopping)

    assert "connection" not in before.headers
    assert (ready.status_code, ready.json()["status"]) == (503, "stopping")
    assert set(ready.json()["services"].values()) == {"serving"}
    assert (alive.status_code, order.status_code) == (200, 200)
    assert order.headers["connection"] == "close"


async def test_a_client_that_goes_on_asking_is_led_off_its_connection_without_a_lost_request() -> None:
    async with a_gateway() as world:
        await world.http.get("/api/v1/orders/x")
        stopping = await leaving(world)
        asked = [await world.http.get("/api/v1/orders/x") for _ in range(20)]
        await ended(stopping)

    assert {answer.status_code for answer in asked} == {200}


async def test_a_gateway_that_has_stopped_takes_no_connection() -> None:
    async with a_gateway() as world:
        await world.gateway.stop(drain_seconds=0.01)
        with pytest.raises(httpx.ConnectError):
            await world.http.get("/healthz")
