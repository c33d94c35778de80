"""REST over a real socket: orders are placed, read and listed, and everything that is wrong gets a clear 4xx."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from ordermesh.order.v1 import order_pb2, order_service_pb2

from kernel.errors import FieldViolation, Reason, Refusal
from tests.fakes.backend import ORDER_ID, an_order
from tests.fakes.gateway import World, a_gateway

ORDER = {
    "customer": {"customer_id": "c-1", "email": "ann@example.com", "name": "Änn"},
    "items": [
        {"sku": "tea", "quantity": 2, "unit_price": {"currency_code": "EUR", "minor_units": 1099}},
        {"sku": "pot", "quantity": 1, "unit_price": {"currency_code": "EUR", "minor_units": "2500"}, "tax_code": "P1"},
    ],
    "ship_to": {"line1": "1 Main St", "locality": "Berlin", "postal_code": "10115", "region_code": "DE"},
    "payment_method": "pm_card_visa",
}


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[World]:
    async with a_gateway() as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.reset()
    return shared


async def place(world: World, body: Any, **headers: str) -> httpx.Response:  # noqa: ANN401  (any JSON value)
    return await world.http.post("/api/v1/orders", json=body, headers={"Idempotency-Key": "k1", **headers})


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem that the response tells of."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["type"] == f"/docs#{document['reason']}"
    return document


def named(document: dict[str, Any]) -> list[str]:
    return [error["field"] for error in document["errors"]]


async def test_placing_an_order_answers_201_with_its_place_and_the_order(world: World) -> None:
    response = await place(world, ORDER)

    assert response.status_code == 201
    assert response.headers["location"] == f"/api/v1/orders/{ORDER_ID}"
    assert response.json() == {
        "order_id": ORDER_ID,
        "state": "PAID",
        "items": [],
        "subtotal": {"currency_code": "EUR", "minor_units": 2198},
        "total": {"currency_code": "EUR", "minor_units": 2616},
        "needs_review": False,
        "reference": "",
        "version": 0,
        "create_time": "2027-01-15T08:00:00.123Z",
        "prices_include_tax": False,
        "capture_mode": "UNSPECIFIED",
        "shipments": [],
        "refunds": [],
        "alerts": [],
        "metadata": {},
        "note": "",
        "etag": "",
        "keep_after_decline": False,
    }
    assert (await world.http.get(response.headers["location"])).status_code == 200


async def test_the_service_gets_the_order_as_it_was_sent(world: World) -> None:
    await place(world, ORDER)

    request = world.backend.last.request
    assert request.request_id == "k1"
    assert request.customer.name == "Änn"
    assert [item.unit_price.minor_units for item in request.items] == [1099, 2500]
    assert request.ship_to.region_code == "DE"


async def test_quoting_needs_no_key_and_creates_nothing(world: World) -> None:
    response = await world.http.post("/api/v1/orders:quote", json={"items": []})

    assert response.status_code == 200
    assert "location" not in response.headers
    assert world.backend.last.method == "QuoteOrder"


async def test_a_command_takes_its_order_from_the_path(world: World) -> None:
    response = await world.http.post(
        f"/api/v1/orders/{ORDER_ID}:cancel", json={"reason": "changed my mind"}, headers={"Idempotency-Key": "k2"}
    )

    assert response.status_code == 200
    request = world.backend.last.request
    assert (request.order_id, request.request_id, request.reason) == (ORDER_ID, "k2", "changed my mind")


async def test_a_command_without_arguments_needs_no_body(world: World) -> None:
    path = f"/api/v1/orders/{ORDER_ID}:deliver"
    response = await world.http.post(path, headers={"Idempotency-Key": "k3"})

    assert response.status_code == 200
    assert world.backend.last.request.order_id == ORDER_ID


async def test_lists_are_filtered_by_query(world: World) -> None:
    response = await world.http.get(
        "/api/v1/orders", params={"state": "PAID", "needs_review": "true", "page_size": 5, "customer_id": "c 1"}
    )

    assert response.status_code == 200
    assert response.json()["next_page_token"] == "next"
    assert world.backend.last.request == order_service_pb2.ListOrdersRequest(
        customer_id="c 1", state=order_pb2.ORDER_STATE_PAID, needs_review=True, page_size=5
    )


async def test_other_services_are_reached_too(world: World) -> None:
    assert (await world.http.get(f"/api/v1/payments/{ORDER_ID}")).json()["payment_id"] == ORDER_ID
    assert (await world.http.get("/api/v1/notifications")).json() == {"notifications": [], "next_page_token": ""}


async def test_a_missing_key_is_named_together_with_every_wrong_field(world: World) -> None:
    body = {"customer": {"nme": "x"}, "items": [{"quantity": "two"}], "extra": 1}
    response = await world.http.post("/api/v1/orders", json=body)

    document = problem_of(response, 400)
    assert document["reason"] == "VALIDATION_FAILED"
    assert named(document) == ["Idempotency-Key", "customer.nme", "items[0].quantity", "extra"]
    assert not world.backend.calls


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_an_empty_body_is_an_empty_request(world: World, body: bytes) -> None:
    headers = {"Idempotency-Key": "k", "content-type": "application/json"}

    assert (await world.http.post("/api/v1/orders", content=body, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"3",
        b"[]",
        b'"x"',
        b"{",
        b'{"a": NaN}',
        b'{"customer": {"name": "\xff"}}',
        b"\x00",
        b"\xff\xfe{\x00}\x00",
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(world: World, body: bytes) -> None:
    headers = {"Idempotency-Key": "k", "content-type": "application/json"}

    document = problem_of(await world.http.post("/api/v1/orders", content=body, headers=headers), 400)
    assert named(document) == ["body"]
    assert not world.backend.calls


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
async def test_a_body_of_another_type_is_refused(world: World, content_type: str) -> None:
    headers = {"Idempotency-Key": "k", **({"content-type": content_type} if content_type else {})}

    document = problem_of(await world.http.post("/api/v1/orders", content=b"{}", headers=headers), 415)
    assert named(document) == ["Content-Type"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;"])
async def test_json_may_be_called_json_in_every_way(world: World, content_type: str) -> None:
    headers = {"Idempotency-Key": "k", "content-type": content_type}

    assert (await world.http.post("/api/v1/orders", content=b"{}", headers=headers)).status_code == 201


async def test_a_compressed_body_is_refused(world: World) -> None:
    document = problem_of(await place(world, ORDER, **{"content-encoding": "gzip"}), 415)

    assert named(document) == ["Content-Encoding"]


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_the_limit_is_refused(world: World, declared: bool) -> None:  # noqa: FBT001
    content = b" " * 262_145 if declared else chunks(300_000)
    headers = {"Idempotency-Key": "k", "content-type": "application/json"}

    document = problem_of(await world.http.post("/api/v1/orders", content=content, headers=headers), 413)
    assert document["reason"] == "REQUEST_TOO_LARGE"
    assert document["metadata"] == {"maximumBytes": "262144"}
    assert not world.backend.calls


async def test_a_body_at_the_limit_is_read(world: World) -> None:
    headers = {"Idempotency-Key": "k", "content-type": "application/json"}
    response = await world.http.post("/api/v1/orders", content=b"{}".ljust(262_144), headers=headers)

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Refusal(Reason.REQUEST_ID_REUSED, "The key was used before."), 409),
        (Refusal(Reason.ADDRESS_INVALID, "No such street.", fields=(FieldViolation("ship_to.line1", "unknown"),)), 400),
        (Refusal(Reason.ILLEGAL_STATE, "It is shipped.", metadata={"state": "SHIPPED"}), 409),
        (Refusal(Reason.NOT_IMPLEMENTED, "Not yet."), 501),
    ],
)
async def test_what_a_service_refuses_is_told_in_its_words(world: World, refusal: Refusal, status: int) -> None:
    world.backend.answers["PlaceOrder"] = refusal

    document = problem_of(await place(world, ORDER), status)
    assert (document["reason"], document["detail"]) == (refusal.reason.value, refusal.message)
    assert document.get("metadata", {}) == refusal.metadata


async def test_a_declined_card_is_402_with_the_decline_code_and_the_order(world: World) -> None:
    metadata = {"orderId": ORDER_ID, "declineCode": "insufficient_funds"}
    world.backend.answers["PlaceOrder"] = Refusal(Reason.PAYMENT_DECLINED, "Declined.", metadata=metadata)

    document = problem_of(await place(world, ORDER), 402)
    assert (document["decline_code"], document["order_id"]) == ("insufficient_funds", ORDER_ID)


async def test_an_order_that_is_not_there_is_404(world: World) -> None:
    world.backend.answers["GetOrder"] = Refusal(Reason.ORDER_NOT_FOUND, "No such order.", metadata={"orderId": "x"})

    assert problem_of(await world.http.get("/api/v1/orders/x"), 404)["order_id"] == "x"


async def test_a_wait_that_is_known_is_told(world: World) -> None:
    world.backend.answers["PlaceOrder"] = Refusal(Reason.OVERLOADED, "Too much.", retry_after=1.2)

    response = await place(world, ORDER)
    assert problem_of(response, 429)
    assert response.headers["retry-after"] == "2"


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS])
async def test_a_defect_shows_nothing_but_an_id_that_the_log_has_too(
    world: World, code: grpc.StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    world.backend.answers["GetOrder"] = code

    document = problem_of(await world.http.get("/api/v1/orders/x"), 500)
    assert "secret" not in str(document)
    assert [vars(record)["error_id"] for record in caplog.records if record.msg == "http.defect"] == [
        document["metadata"]["errorId"]
    ]


async def test_an_answer_that_cannot_be_written_is_a_defect_and_no_broken_answer(world: World) -> None:
    order = an_order(create_time={"seconds": 10**15})
    world.backend.answers["GetOrder"] = order_service_pb2.GetOrderResponse(order=order)

    assert problem_of(await world.http.get("/api/v1/orders/x"), 500)["reason"] == "INTERNAL"


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/v1/orders", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/orders/x", "GET, HEAD, OPTIONS"),
        ("/api/v1/orders/x:watch", "GET, OPTIONS"),
        ("/api/v1/orders/x:cancel", "OPTIONS, POST"),
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/webhooks/stripe", "OPTIONS, POST"),
    ],
)
async def test_a_path_answers_to_its_methods_only_and_says_which(world: World, path: str, allow: str) -> None:
    options, wrong = await world.http.options(path), await world.http.delete(path)

    assert (options.status_code, options.headers["allow"]) == (204, allow)
    assert problem_of(wrong, 405)["reason"] == "ROUTE_NOT_FOUND"
    assert wrong.headers["allow"] == allow


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1/orders/", "/api/v1/orders/x:nothing/y", "/api/v2/orders", "/docs/"]
)
async def test_where_nothing_is_404_says_so(world: World, path: str) -> None:
    assert problem_of(await world.http.get(path), 404)["reason"] == "ROUTE_NOT_FOUND"


async def test_head_is_get_without_the_body(world: World) -> None:
    head, get = await world.http.head("/api/v1/orders/x"), await world.http.get("/api/v1/orders/x")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_every_answer_is_protected_and_named(world: World) -> None:
    for response in (
        await place(world, ORDER),
        await world.http.get("/nothing"),
        await world.http.get("/docs"),
        await world.http.options("/api/v1/orders"),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert response.headers["x-request-id"]
        assert "access-control-allow-origin" not in response.headers
        assert "server" not in response.headers


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1", True), ("a" * 128, True), ("a" * 129, False), ("with blank", False)]
)
async def test_a_usable_request_id_is_kept(world: World, given: str, kept: bool) -> None:  # noqa: FBT001
    response = await world.http.get("/healthz", headers={"x-request-id": given})

    assert (response.headers["x-request-id"] == given) is kept


async def test_a_call_has_fifteen_seconds(world: World) -> None:
    await world.http.get("/api/v1/orders/x")

    assert 10 < world.backend.last.seconds_left <= 15.5


async def test_identifiers_that_look_like_paths_stay_identifiers(world: World) -> None:
    await world.http.get("/api/v1/orders/..%2F..%2Fx%3Acancel")

    assert world.backend.last.request.order_id == "../../x:cancel"


@pytest.mark.parametrize("path", ["/api/v1/orders/%", "/api/v1/orders/%zz", "/api/v1/orders/%ff"])
async def test_broken_percent_encoding_is_refused(world: World, path: str) -> None:
    answer = await world.raw(b"GET " + path.encode() + b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"field":"order_id"' in answer
