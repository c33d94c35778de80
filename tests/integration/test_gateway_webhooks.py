"""Providers' webhooks reach their service byte for byte, and are answered 200 only once the service has answered."""

from collections.abc import AsyncIterator

import grpc
import pytest

from kernel.errors import Reason, Refusal
from tests.fakes.gateway import World, a_gateway

STRIPE = {"Stripe-Signature": "t=1,v1=abc", "content-type": "application/json; charset=utf-8"}
SENDGRID = {
    "X-Twilio-Email-Event-Webhook-Signature": "c2ln",
    "X-Twilio-Email-Event-Webhook-Timestamp": "1800000000",
}
RAW = b'{ "id": "evt_1",\r\n  "\xc3\xa4": "not touched" }\n'


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[World]:
    async with a_gateway() as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.reset()
    return shared


async def test_stripes_body_and_signature_arrive_as_they_were_sent(world: World) -> None:
    response = await world.http.post("/webhooks/stripe", content=RAW, headers=STRIPE)

    assert (response.status_code, response.json()) == (200, {"event_id": "evt_1", "duplicate": False})
    request = world.backend.last.request
    assert (request.payload, request.signature) == (RAW, "t=1,v1=abc")


async def test_sendgrids_body_signature_and_timestamp_arrive_as_they_were_sent(world: World) -> None:
    response = await world.http.post("/webhooks/sendgrid", content=b"[]", headers=SENDGRID)

    assert (response.status_code, response.json()) == (200, {"accepted": 1, "duplicates": 0})
    request = world.backend.last.request
    assert (request.payload, request.signature, request.timestamp) == (b"[]", "c2ln", "1800000000")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Refusal(Reason.SIGNATURE_INVALID, "The signature does not match."), 400),
        (Refusal(Reason.UNAVAILABLE, "Away.", retry_after=1), 503),
        (Refusal(Reason.NOT_IMPLEMENTED, "Not yet."), 501),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.UNIMPLEMENTED, 501),
    ],
)
async def test_nothing_but_an_answer_is_a_success(world: World, answer: Refusal | grpc.StatusCode, status: int) -> None:
    world.backend.answers["IngestStripeEvent"] = answer

    response = await world.http.post("/webhooks/stripe", content=RAW, headers=STRIPE)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/webhooks/stripe", {}),
        ("/webhooks/stripe", {"Stripe-Signature": ""}),
        ("/webhooks/sendgrid", {"X-Twilio-Email-Event-Webhook-Signature": "c2ln"}),
        ("/webhooks/sendgrid", {"X-Twilio-Email-Event-Webhook-Timestamp": "1"}),
    ],
)
async def test_without_its_headers_a_webhook_goes_nowhere(world: World, path: str, headers: dict[str, str]) -> None:
    response = await world.http.post(path, content=RAW, headers=headers)

    assert (response.status_code, response.json()["reason"]) == (400, "SIGNATURE_INVALID")
    assert not world.backend.calls


async def test_a_signature_that_is_no_text_is_refused(world: World) -> None:
    request = b"POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\nstripe-signature: \xff\xfe\r\ncontent-length: 2\r\n"
    answer = await world.raw(request + b"connection: close\r\n\r\n{}")

    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("path", "headers", "limit"), [("/webhooks/stripe", STRIPE, 262_144), ("/webhooks/sendgrid", SENDGRID, 1_048_576)]
)
async def test_a_body_may_be_as_large_as_the_contract_says(
    world: World, path: str, headers: dict[str, str], limit: int
) -> None:
    assert (await world.http.post(path, content=b"x" * limit, headers=headers)).status_code == 200
    response = await world.http.post(path, content=b"x" * (limit + 1), headers=headers)

    assert (response.status_code, response.json()["metadata"]) == (413, {"maximumBytes": str(limit)})
