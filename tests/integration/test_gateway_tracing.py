"""One span per request, named by its route, continuing the client's trace and handed on to the service."""

from collections.abc import AsyncIterator

import pytest

from chassis.telemetry.spans import SpanContext
from kernel.errors import Reason, Refusal
from tests.fakes.backend import ORDER_ID
from tests.fakes.gateway import World, a_gateway

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ROUTE = "GET /api/v1/orders/{order_id}"


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[World]:
    async with a_gateway() as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.reset()
    return shared


async def test_a_request_continues_the_clients_trace_into_the_service(world: World) -> None:
    await world.http.get(f"/api/v1/orders/{ORDER_ID}", headers={"traceparent": PARENT})

    server = world.spans.named(ROUTE)
    client = world.spans.named("ordermesh.order.v1.OrderService/GetOrder")
    received = SpanContext.parse(world.backend.last.metadata["traceparent"])
    assert received is not None
    assert f"{server.trace_id:032x}" == TRACE
    assert (server.kind, f"{server.parent_id:016x}") == ("server", "00f067aa0ba902b7")
    assert (client.parent_id, client.trace_id) == (server.span_id, server.trace_id)
    assert (received.span_id, received.trace_id) == (client.span_id, server.trace_id)


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{'0' * 32}-00f067aa0ba902b7-01"])
async def test_without_a_usable_parent_a_trace_begins_here(world: World, traceparent: str) -> None:
    await world.http.get("/api/v1/orders/x", headers={"traceparent": traceparent})

    assert world.spans.named(ROUTE).parent_id == 0


async def test_a_trace_that_is_not_sampled_is_carried_on_and_not_recorded(world: World) -> None:
    await world.http.get("/api/v1/orders/x", headers={"traceparent": PARENT[:-1] + "0"})

    assert not world.spans.finished
    assert world.backend.last.metadata["traceparent"].startswith(f"00-{TRACE}-")


async def test_a_span_says_what_became_of_the_request(world: World) -> None:
    await world.http.get("/api/v1/orders/x")

    assert world.spans.named(ROUTE).attributes == {
        "http.request.method": "GET",
        "http.route": "/api/v1/orders/{order_id}",
        "url.scheme": "http",
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(
    ("reason", "status", "failed"), [(Reason.ORDER_NOT_FOUND, 404, False), (Reason.UNAVAILABLE, 503, True)]
)
async def test_only_what_the_server_answers_for_fails_a_span(
    world: World,
    reason: Reason,
    status: int,
    failed: bool,  # noqa: FBT001
) -> None:
    world.backend.answers["GetOrder"] = Refusal(reason, "words")
    await world.http.get("/api/v1/orders/x")

    span = world.spans.named(ROUTE)
    assert (span.attributes["http.response.status_code"], span.status == "error") == (status, failed)


async def test_a_stream_is_one_span_too_and_its_call_belongs_to_it(world: World) -> None:
    world.backend.stream.put_nowait(None)
    await world.http.get("/api/v1/orders/x:watch")

    server = await world.spans.coming("GET /api/v1/orders/{order_id}:watch")
    assert world.spans.named("ordermesh.order.v1.OrderService/WatchOrder").parent_id == server.span_id


async def test_pages_and_health_are_not_traced(world: World) -> None:
    for path in ("/healthz", "/readyz", "/docs", "/nothing"):
        await world.http.get(path)

    assert not world.spans.finished


async def test_durations_are_counted_by_route_and_status(world: World) -> None:
    before = {labels: series.count for labels, series in world.metrics.http_server_duration.read().items()}
    await world.http.get("/api/v1/orders/x")
    await world.http.post("/api/v1/orders")

    grown = {
        labels: series.count - before.get(labels, 0)
        for labels, series in world.metrics.http_server_duration.read().items()
    }
    assert grown["GET", "/api/v1/orders/{order_id}", "200", "http", ""] == 1
    assert grown["POST", "/api/v1/orders", "400", "http", ""] == 1


async def test_no_span_holds_what_the_client_sent(world: World) -> None:
    await world.http.get("/api/v1/orders/ann@example.com?after=ann@example.com", headers={"x": "ann@example.com"})

    for span in world.spans.finished:
        assert "ann" not in str(span.attributes) + span.name + span.status_message
