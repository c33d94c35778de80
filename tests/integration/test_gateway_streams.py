"""Watching an order over a real socket: server-sent events, from the service to the client and back again."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from ordermesh.order.v1 import order_pb2, order_service_pb2

from kernel.errors import Reason, Refusal
from tests.fakes.backend import ORDER_ID, an_order
from tests.fakes.gateway import World, a_gateway

WATCH = f"/api/v1/orders/{ORDER_ID}:watch"


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[World]:
    async with a_gateway() as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.reset()
    return shared


def message(**fields: object) -> order_service_pb2.WatchOrderResponse:
    return order_service_pb2.WatchOrderResponse(order=an_order(**fields))


async def test_every_change_is_an_event(world: World) -> None:
    world.backend.stream.put_nowait(message(state=order_pb2.ORDER_STATE_PENDING, version=1))
    world.backend.stream.put_nowait(message(state=order_pb2.ORDER_STATE_PAID, version=2))
    world.backend.stream.put_nowait(None)

    response = await world.http.get(WATCH, params={"after_version": 0}, headers={"accept": "text/event-stream"})

    assert response.headers["content-type"] == "text/event-stream"
    first, second, end, rest = response.text.split("\n\n")
    named = [event.split("\ndata: ") for event in (first, second)]
    assert [(name, json.loads(data)["state"]) for name, data in named] == [("id: 1", "PENDING"), ("id: 2", "PAID")]
    assert (end, rest) == ("event: end\ndata: {}", "")
    assert world.backend.last.request.order_id == ORDER_ID


async def test_events_arrive_as_they_happen(world: World) -> None:
    world.backend.stream.put_nowait(message(version=1))
    async with world.http.stream("GET", WATCH) as response:
        events = response.aiter_text()
        for version in (1, 2, 3):
            assert f'"version":{version}' in await anext(events)
            world.backend.stream.put_nowait(message(version=version + 1))
        world.backend.stream.put_nowait(None)


async def test_a_client_that_was_cut_off_goes_on_after_its_last_event(world: World) -> None:
    world.backend.stream.put_nowait(message(version=7))
    world.backend.stream.put_nowait(None)
    first = await world.http.get(WATCH, params={"after_version": 1})
    last_id = first.text.split("\n")[0].removeprefix("id: ")
    world.backend.stream.put_nowait(None)

    # As browsers' EventSource does: to the same URL, with the id of the last event.
    await world.http.get(WATCH, params={"after_version": 1}, headers={"Last-Event-ID": last_id})

    assert [call.request.after_version for call in world.backend.calls] == [1, 7]


async def test_a_message_without_a_version_has_no_id(world: World) -> None:
    world.backend.stream.put_nowait(message())
    world.backend.stream.put_nowait(None)

    assert (await world.http.get(WATCH)).text.startswith("data: ")


async def test_an_order_that_is_not_there_is_404_and_no_stream(world: World) -> None:
    world.backend.stream.put_nowait(Refusal(Reason.ORDER_NOT_FOUND, "No such order."))

    response = await world.http.get(WATCH)

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_failure_after_the_first_event_is_an_event_too(world: World) -> None:
    world.backend.stream.put_nowait(message(version=1))
    world.backend.stream.put_nowait(Refusal(Reason.UNAVAILABLE, "The service is stopping.", retry_after=1))

    response = await world.http.get(WATCH)

    assert response.status_code == 200
    assert 'event: error\ndata: {"type":"/docs#UNAVAILABLE"' in response.text


async def test_the_service_learns_that_the_client_went(world: World) -> None:
    world.backend.stream.put_nowait(message(version=1))

    async with world.http.stream("GET", WATCH) as response:
        await anext(response.aiter_text())

    await world.backend.cancelled.wait()


async def test_streams_are_counted_for_as_long_as_they_are_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.streams.MOST_OF_ANOTHER", 1)
    world.backend.stream.put_nowait(message(version=1))
    async with world.http.stream("GET", WATCH) as response:
        await anext(response.aiter_text())
        refused = await world.http.get(WATCH)
        order = await world.http.get(WATCH.removesuffix(":watch"))
    await world.backend.cancelled.wait()
    world.backend.stream.put_nowait(None)

    assert (refused.status_code, refused.json()["reason"]) == (429, "OVERLOADED")
    assert order.status_code == 200
    assert (await world.http.get(WATCH)).status_code == 200


async def test_a_wrong_parameter_is_refused_before_anything_is_opened(world: World) -> None:
    response = await world.http.get(WATCH, params={"after_version": "x"})

    assert response.status_code == 400
    assert not world.backend.calls


async def test_a_stopping_gateway_ends_its_streams_at_once() -> None:
    async with a_gateway() as world:
        world.backend.stream.put_nowait(message(version=1))
        async with world.http.stream("GET", WATCH) as response:
            texts = response.aiter_text()
            await anext(texts)
            stopping = asyncio.create_task(world.gateway.stop())
            assert [text async for text in texts] == []
        await stopping
