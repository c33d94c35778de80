"""What the contract has of HTTP beside GET and POST, and of JSON beside plain fields: over a real socket."""

from collections.abc import AsyncIterator

import pytest
from google.protobuf import timestamp_pb2
from ordermesh.order.v1 import order_service_pb2
from ordermesh.webhook.v1 import webhook_pb2, webhook_service_pb2

from tests.fakes.backend import ORDER_ID, an_order
from tests.fakes.gateway import World, a_gateway

KEY = {"Idempotency-Key": "k"}
ENDPOINT = f"/api/v1/webhookEndpoints/{ORDER_ID}"


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[World]:
    async with a_gateway() as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.reset()
    return shared


async def test_an_update_names_what_changes_and_leaves_the_rest(world: World) -> None:
    answer = webhook_service_pb2.UpdateWebhookEndpointResponse(
        endpoint=webhook_pb2.WebhookEndpoint(endpoint_id=ORDER_ID, disabled=True)
    )
    world.backend.answers["UpdateWebhookEndpoint"] = answer

    response = await world.http.patch(ENDPOINT, json={"disabled": False, "event_types": ["order.paid"]}, headers=KEY)

    assert (response.status_code, response.json()["disabled"]) == (200, True)
    request = world.backend.last.request
    assert (request.request_id, request.endpoint_id) == ("k", ORDER_ID)
    assert (request.HasField("disabled"), request.disabled, request.HasField("url")) == (True, False, False)
    assert list(request.event_types) == ["order.paid"]


async def test_taking_away_needs_no_key_and_no_body(world: World) -> None:
    response = await world.http.delete(ENDPOINT)

    assert (response.status_code, response.json()) == (200, {})
    assert world.backend.last.request == webhook_service_pb2.DeleteWebhookEndpointRequest(endpoint_id=ORDER_ID)


async def test_a_path_of_several_verbs_says_which(world: World) -> None:
    refused = await world.http.put(ENDPOINT, json={})

    assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, OPTIONS, PATCH")


async def test_times_and_flags_are_query_parameters(world: World) -> None:
    await world.http.get(
        "/api/v1/orders",
        params={
            "create_time_from": "2026-01-31T12:00:00.5Z",
            "create_time_before": "2026-02-01T00:00:00+01:00",
            "reference_prefix": "A&B ",
            "tax_differs": "true",
            "alerted": "false",
        },
    )

    assert world.backend.last.request == order_service_pb2.ListOrdersRequest(
        create_time_from=timestamp_pb2.Timestamp(seconds=1_769_860_800, nanos=500_000_000),
        create_time_before=timestamp_pb2.Timestamp(seconds=1_769_900_400),
        reference_prefix="A&B ",
        tax_differs=True,
    )


async def test_a_time_that_is_none_is_named(world: World) -> None:
    response = await world.http.get("/api/v1/orders", params={"create_time_from": "yesterday"})

    assert [error["field"] for error in response.json()["errors"]] == ["create_time_from"]
    assert not world.backend.calls


async def test_the_shops_own_facts_go_in_and_come_out_as_they_are(world: World) -> None:
    facts = {"channel": "app", "campaign.id": "späť 🍵"}
    world.backend.answers["PlaceOrder"] = order_service_pb2.PlaceOrderResponse(order=an_order(metadata=facts))

    response = await world.http.post("/api/v1/orders", json={"metadata": facts}, headers=KEY)

    assert dict(world.backend.last.request.metadata) == facts
    assert response.json()["metadata"] == facts


async def test_a_shipment_takes_its_lists_of_objects(world: World) -> None:
    body = {"items": [{"sku": "TEA", "quantity": 2}], "carrier": "DHL", "release_rest": True}

    await world.http.post(f"/api/v1/orders/{ORDER_ID}:ship", json=body, headers={**KEY, "If-Match": '"v3"'})

    request = world.backend.last.request
    assert [(item.sku, item.quantity) for item in request.items] == [("TEA", 2)]
    assert (request.carrier, request.release_rest, request.etag) == ("DHL", True, "v3")


async def test_watching_until_the_end_is_a_query_parameter(world: World) -> None:
    world.backend.stream.put_nowait(None)

    await world.http.get(f"/api/v1/orders/{ORDER_ID}:watch", params={"until_final": "true"})

    assert world.backend.last.request.until_final is True
