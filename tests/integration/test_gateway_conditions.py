"""Versions over REST: an ETag with what has one, commands bound to it by If-Match, reads spared by If-None-Match."""

from collections.abc import AsyncIterator

import httpx
import pytest
from ordermesh.order.v1 import order_service_pb2

from kernel.errors import Reason, Refusal
from tests.fakes.backend import ORDER_ID, an_order
from tests.fakes.gateway import World, a_gateway

ORDER = f"/api/v1/orders/{ORDER_ID}"
GONE = Refusal(Reason.VERSION_MISMATCH, "The order has changed.", metadata={"orderId": ORDER_ID})


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[World]:
    async with a_gateway() as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.reset()
    shared.backend.answers["GetOrder"] = order_service_pb2.GetOrderResponse(order=an_order(etag="v3"))
    shared.backend.answers["CancelOrder"] = order_service_pb2.CancelOrderResponse(order=an_order(etag="v4"))
    return shared


async def cancel(world: World, json: object = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.http.post(f"{ORDER}:cancel", json=json, headers={"Idempotency-Key": "k", **named})


async def test_what_has_a_version_is_answered_with_its_etag(world: World) -> None:
    read = await world.http.get(ORDER)
    cancelled = await cancel(world)

    assert (read.headers["etag"], read.json()["etag"]) == ('"v3"', "v3")
    assert cancelled.headers["etag"] == '"v4"'
    assert "etag" not in (await world.http.get("/api/v1/orders")).headers


@pytest.mark.parametrize("etag", ["", 'with "quotes"', "ü"])
async def test_an_etag_that_a_header_cannot_hold_is_left_to_the_body(world: World, etag: str) -> None:
    world.backend.answers["GetOrder"] = order_service_pb2.GetOrderResponse(order=an_order(etag=etag))

    response = await world.http.get(ORDER)

    assert response.status_code == 200
    assert "etag" not in response.headers


async def test_an_etag_comes_back_as_if_match(world: World) -> None:
    etag = (await world.http.get(ORDER)).headers["etag"]

    response = await cancel(world, if_match=etag)

    assert response.status_code == 200
    assert world.backend.last.request.etag == "v3"


async def test_a_version_that_is_gone_is_412_where_the_header_named_it_and_409_otherwise(world: World) -> None:
    world.backend.answers["CancelOrder"] = GONE

    by_header, by_body = await cancel(world, if_match='"v2"'), await cancel(world, {"etag": "v2"})

    assert (by_header.status_code, by_header.json()["status"]) == (412, 412)
    assert (by_body.status_code, by_body.json()["status"]) == (409, 409)
    assert by_header.json()["reason"] == by_body.json()["reason"] == "VERSION_MISMATCH"


async def test_a_tag_that_cannot_be_compared_is_400_and_nothing_is_asked(world: World) -> None:
    response = await cancel(world, if_match='W/"v3"')

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "field": "If-Match",
            "description": "is a weak tag, which never matches; send the ETag as it was answered",
        }
    ]
    assert not world.backend.calls


@pytest.mark.parametrize("known", ['"v3"', 'W/"v3"', '"v1", "v3"', "*"])
async def test_what_the_client_has_already_is_not_sent_again(world: World, known: str) -> None:
    for method in ("GET", "HEAD"):
        response = await world.http.request(method, ORDER, headers={"If-None-Match": known})

        assert (response.status_code, response.headers["etag"], response.content) == (304, '"v3"', b"")
        assert "content-type" not in response.headers


@pytest.mark.parametrize("known", ['"v2"', '"v33"', "v3", "", '"'])
async def test_what_has_changed_is_sent(world: World, known: str) -> None:
    response = await world.http.get(ORDER, headers={"If-None-Match": known})

    assert (response.status_code, response.json()["etag"]) == (200, "v3")


async def test_a_command_is_never_answered_with_304(world: World) -> None:
    assert (await cancel(world, if_none_match='"v4"')).status_code == 200
