"""The coming and going of the server that every service runs, and what tells of it: health, reflection, channelz."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.errors import refusal_of
from kernel.errors import Reason
from tests.fakes.scripted_service import FOUND, GET, WATCH, Found, Seen, scripted, stub


async def test_an_address_that_is_taken_is_refused_by_name() -> None:
    async with scripted() as running:
        with pytest.raises(OSError, match=f"cannot listen on {running.address}: taken"):
            async with scripted(address=running.address):
                pass


async def test_a_unix_socket_is_an_address(tmp_path_factory: pytest.TempPathFactory) -> None:
    address = f"unix:{tmp_path_factory.mktemp('s')}/order.sock"

    async with scripted(address=address) as running, running.channel() as channel:
        assert running.address == address
        assert await stub(channel).GetOrder(GET) == FOUND


async def test_health_follows_the_service_from_start_to_stop() -> None:
    async with scripted(ready=False) as running, running.channel() as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        names = ("", "ordermesh.order.v1.OrderService")
        requests = [health_pb2.HealthCheckRequest(service=name) for name in names]
        watch = aiter(health.Watch(requests[0]))

        statuses = [(await health.Check(request)).status for request in requests]
        assert statuses == [health_pb2.HealthCheckResponse.NOT_SERVING] * 2
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.NOT_SERVING

        await running.server.serving(ready=True)
        statuses = [(await health.Check(request)).status for request in requests]
        assert statuses == [health_pb2.HealthCheckResponse.SERVING] * 2
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.SERVING

        stopping = asyncio.create_task(running.stop())
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await stopping


def reflecting(channel: Any) -> Any:  # noqa: ANN401  (generated for the threaded channel, without types)
    return reflection_pb2_grpc.ServerReflectionStub(channel)


async def test_reflection_lists_every_service() -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async with scripted() as running, running.channel() as channel:
        answers = reflecting(channel).ServerReflectionInfo(iter([request]))
        names = [service.name async for answer in answers for service in answer.list_services_response.service]

    assert "ordermesh.order.v1.OrderService" in names
    assert "grpc.health.v1.Health" in names


async def test_reflection_can_be_switched_off() -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async with scripted(with_reflection=False) as running, running.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await anext(aiter(reflecting(channel).ServerReflectionInfo(iter([request]))))

    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_channelz_answers() -> None:
    async with scripted() as running, running.channel() as channel:
        channelz: Any = channelz_pb2_grpc.ChannelzStub(cast("grpc.Channel", channel))
        answer = await channelz.GetServers(channelz_pb2.GetServersRequest())

    assert answer.server


async def test_calls_in_flight_are_finished_before_the_server_stops() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> Found:
        begun.set()
        await go_on.wait()
        return FOUND

    async with scripted(wait) as running, running.channel() as channel:
        call = asyncio.ensure_future(stub(channel).GetOrder(GET))
        await begun.wait()
        stopping = asyncio.create_task(running.stop())
        await asyncio.wait({stopping}, timeout=0.5)
        assert not stopping.done()

        go_on.set()

        assert await call == FOUND
        await stopping


async def test_a_stream_ends_with_unavailable_when_the_server_stops() -> None:
    async with scripted() as running, running.channel() as channel:
        answers = aiter(stub(channel).WatchOrder(WATCH))
        await anext(answers)

        await running.stop()

        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await anext(answers)
    refusal = refusal_of(failed.value)
    assert refusal is not None
    assert (refusal.reason, refusal.message) == (Reason.UNAVAILABLE, "The service is stopping; try again.")


async def test_streams_whose_callers_left_are_forgotten() -> None:
    left = asyncio.Queue[None]()

    async def listen() -> AsyncIterator[Seen]:
        try:
            yield Seen()
            await asyncio.Event().wait()
        finally:
            left.put_nowait(None)

    async with scripted(watch=listen) as running, running.channel() as channel:
        for _ in range(20):
            call = stub(channel).WatchOrder(WATCH)
            await anext(aiter(call))
            call.cancel()
            await left.get()
        await stub(channel).GetOrder(GET)

        assert not running.server._streams
