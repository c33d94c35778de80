"""Alive says that the process runs, ready says that requests can be served, and which service keeps them from it."""

import asyncio
from contextlib import AsyncExitStack

import grpc
from grpc_health.v1 import health_pb2

from gateway.readiness import Readiness
from kernel.clock import SystemClock
from tests.fakes.backend import running_backend
from tests.fakes.gateway import a_gateway, gateway_before
from tests.fakes.scripted_service import GET, chassis_channel, scripted, stub

# No pause of the gateway's is to be waited for where this bounds a test.
LONG = 30.0

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def test_the_gateway_follows_the_health_of_its_services() -> None:
    async with a_gateway() as world:
        ready = await world.http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")

        await world.backend.health.set("", NOT_SERVING)
        await world.gateway.readiness.until(ready=False)
        away = await world.http.get("/readyz")
        assert (away.status_code, away.json()["status"]) == (503, "not ready")
        assert "not serving" in away.json()["services"].values()

        await world.backend.health.set("", SERVING)
        await world.gateway.readiness.until(ready=True)
        assert (await world.http.get("/readyz")).status_code == 200


async def test_the_gateway_is_ready_without_services_that_orders_can_wait_for() -> None:
    async with running_backend() as backend, gateway_before(backend.address, away=["notify", "tax"]) as world:
        while not world.gateway.readiness.ready():  # noqa: ASYNC110  (nobody is told of it without the others)
            await asyncio.sleep(0.01)
        ready = await world.http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        services = ready.json()["services"]
        assert (services["order"], services["notify"], services["tax"]) == ("serving", "unreachable", "unreachable")
        assert (await world.http.get("/api/v1/orders/x")).status_code == 200
        assert not world.gateway.readiness.whole()

        await backend.health.set("", NOT_SERVING)
        await world.gateway.readiness.until(ready=False)
        assert (await world.http.get("/readyz")).status_code == 503


async def test_one_replica_that_stops_does_not_make_the_gateway_unready() -> None:
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(scripted()) for _ in range(2)]
        both = f"ipv4:{one.address},{two.address}"
        # Which replica a watch is of is left to chance: eight are hardly ever of the same.
        channels = [(await stack.enter_async_context(chassis_channel(both)))[0] for _ in range(8)]
        for channel in channels:
            while min(one.servicer.calls, two.servicer.calls) < 1:
                await stub(channel).GetOrder(GET)
            one.servicer.calls = two.servicer.calls = 0
        readiness = Readiness({f"{n}": channel.bare for n, channel in enumerate(channels)}, SystemClock())
        readiness.start()
        stack.push_async_callback(readiness.stop)
        await readiness.until(ready=True)
        unready = asyncio.create_task(readiness.until(ready=False))
        await one.stop()
        assert readiness.ready()
        assert not unready.done()
        unready.cancel()


async def test_without_services_the_gateway_is_alive_and_not_ready_and_says_503() -> None:
    async with gateway_before("127.0.0.1:1") as world:
        assert (await world.http.get("/healthz")).json() == {"status": "alive"}
        ready = await world.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["services"] == dict.fromkeys(("notify", "order", "payment", "tax"), "unreachable")
        order = await world.http.get("/api/v1/orders/x")
        assert (order.status_code, order.json()["reason"]) == (503, "UNAVAILABLE")
        assert "127.0.0.1" not in order.text
        assert order.headers["retry-after"] == "1"


async def test_a_service_that_comes_and_goes_is_noticed() -> None:
    async with running_backend() as first:
        address = first.address
    async with gateway_before(address) as world:
        assert not world.gateway.readiness.ready()
        async with running_backend(address):
            await world.gateway.readiness.until(ready=True)
            assert (await world.http.get("/api/v1/orders/x")).status_code == 200
        await world.gateway.readiness.until(ready=False)
        assert "unreachable" in (await world.http.get("/readyz")).json()["services"].values()


class StoppedClock(SystemClock):
    """A clock on which a pause of half a second never ends."""

    async def sleep(self, seconds: float) -> None:
        """Wait, unless for ever."""
        await (asyncio.Event().wait() if seconds >= 0.5 else super().sleep(seconds))


async def test_a_service_that_comes_back_makes_the_gateway_ready_as_soon_as_it_is_connected() -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(scripted())
        channel, _ = await stack.enter_async_context(chassis_channel(first.address))
        readiness = Readiness({"order": channel.bare}, StoppedClock())
        readiness.start()
        stack.push_async_callback(readiness.stop)
        await readiness.until(ready=True)
        await first.stop()
        while readiness.states()["order"] != "unreachable":  # noqa: ASYNC110  (nobody is told of it)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(LONG), scripted(address=first.address):
            await readiness.until(ready=True)


async def test_a_service_without_health_is_not_ready() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with gateway_before(f"127.0.0.1:{port}") as world:
            assert (await world.http.get("/readyz")).status_code == 503
    finally:
        await server.stop(None)
