"""Webhooks from the running order service to real receivers, which check every signature with the scheme's library."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import orjson
import pytest
from ordermesh.order.v1 import order_service_pb2_grpc
from ordermesh.webhook.v1 import webhook_service_pb2 as pb
from ordermesh.webhook.v1 import webhook_service_pb2_grpc
from standardwebhooks import Webhook, WebhookVerificationError

from chassis.errors import refusal_of
from kernel.errors import Reason, Refusal
from order_svc.__main__ import MIGRATIONS
from tests.fakes.http_peer import Conversation, HttpPeer, saying
from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_peers import running_peers
from tests.fakes.order_service import Shop, a_shop
from tests.fakes.webhook_shop import DELIVERED, PATIENCE_SECONDS, PENDING, HookShop, a_hook_shop, taken
from tests.fakes.webhook_sink import Delivery, webhook_sink

NOWHERE = "01980000-0000-7000-8000-000000000001"


@pytest.fixture
async def shop(tmp_path: Path, database_kind: str, make_database: MakeDatabase) -> AsyncIterator[Shop]:
    async with a_shop(tmp_path, make_database(database_kind, MIGRATIONS)) as running_shop:
        yield running_shop


@pytest.fixture
async def hooked(shop: Shop) -> AsyncIterator[HookShop]:
    async with a_hook_shop(shop) as running_shop:
        yield running_shop


def verified(delivery: Delivery, secret: str) -> dict[str, object]:
    """Return the message, when the signature is right."""
    message: dict[str, object] = Webhook(secret).verify(delivery.body, delivery.headers)
    return message


def refused(failed: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> Refusal:
    refusal = refusal_of(failed.value)
    assert refusal is not None
    return refusal


async def test_an_order_is_told_signed_and_once(hooked: HookShop) -> None:
    async with webhook_sink() as (sink, url):
        endpoint = await hooked.create(url)
        order_id = await hooked.place()
        came = await taken(sink.next, 2)
        log = await hooked.until(lambda each: each.state == DELIVERED, 2)

    messages = [verified(each, endpoint.secret) for each in came]
    assert sorted(str(each["type"]) for each in messages) == ["order.paid", "order.placed"]
    (paid,) = [each["data"] for each in messages if each["type"] == "order.paid"]
    assert isinstance(paid, dict)
    assert (paid["order_id"], paid["state"], paid["total"]) == (order_id, "PAID", 7075)
    assert {each.message_id for each in log} == {each.headers["webhook-id"] for each in came}
    assert {(each.order_id, each.attempts, each.response_status) for each in log} == {(order_id, 1, 200)}
    assert b"ada@example.com" not in b"".join(each.body for each in came)
    with pytest.raises(WebhookVerificationError):
        verified(replace(came[0], body=came[0].body.replace(b"order", b"0rder", 1)), endpoint.secret)


async def test_an_endpoint_hears_of_what_it_asked_for(hooked: HookShop) -> None:
    async with webhook_sink() as (sink, url):
        await hooked.create(url, "order.paid")
        await hooked.place()
        (came,) = await taken(sink.next, 1)
        await hooked.until(lambda each: each.state == DELIVERED)

    assert orjson.loads(came.body)["type"] == "order.paid"


async def test_while_receivers_change_over_both_secrets_are_good(hooked: HookShop) -> None:
    async with webhook_sink() as (sink, url):
        endpoint = await hooked.create(url, "order.paid")
        request = pb.RotateWebhookSecretRequest(request_id="r-1", endpoint_id=endpoint.endpoint_id)
        rotated = (await hooked.hooks.RotateWebhookSecret(request)).endpoint
        repeated = (await hooked.hooks.RotateWebhookSecret(request)).endpoint
        await hooked.place()
        (came,) = await taken(sink.next, 1)

    assert rotated.secret == repeated.secret != endpoint.secret
    assert verified(came, endpoint.secret) == verified(came, rotated.secret)
    assert len(came.headers["webhook-signature"].split(" ")) == 2


async def test_what_was_not_taken_is_tried_again_and_replayed_under_its_id(hooked: HookShop) -> None:
    async with webhook_sink([503]) as (sink, url):
        await hooked.create(url, "order.paid")
        await hooked.place()
        (first,) = await taken(sink.next, 1)
        (failed,) = await hooked.until(lambda each: each.attempts >= 1)
        again = await hooked.replay(failed.delivery_id, "r-1")
        (second,) = await taken(sink.next, 1)
        (delivered,) = await hooked.until(lambda each: each.state == DELIVERED)
        await hooked.replay(failed.delivery_id, "r-2")
        (third,) = await taken(sink.next, 1)

    assert (failed.state, failed.response_status, failed.last_error) == (PENDING, 503, "answered 503")
    assert failed.HasField("next_attempt_time")
    assert (again.state, again.attempts) == (PENDING, 0)
    assert delivered.HasField("deliver_time")
    assert len({each.headers["webhook-id"] for each in (first, second, third)}) == 1
    assert first.body == second.body == third.body


async def test_the_first_retry_comes_by_itself(hooked: HookShop) -> None:
    async with webhook_sink([500]) as (sink, url):
        await hooked.create(url, "order.paid")
        await hooked.place()
        await taken(sink.next, 2)
        (delivered,) = await hooked.until(lambda each: each.state == DELIVERED)

    assert delivered.attempts == 2


async def test_410_switches_the_endpoint_off_and_nothing_is_lost(hooked: HookShop) -> None:
    async with webhook_sink([410]) as (sink, url):
        endpoint = await hooked.create(url, "order.paid")
        await hooked.place("k-1")
        await taken(sink.next, 1)
        await hooked.until(lambda each: each.response_status == 410)
        (listed,) = (await hooked.hooks.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest())).endpoints
        await hooked.place("k-2")
        held = await hooked.until(lambda each: not each.HasField("next_attempt_time"), 2)
        on = await hooked.update(endpoint.endpoint_id, "u-1", disabled=False)
        await taken(sink.next, 2)
        await hooked.until(lambda each: each.state == DELIVERED, 2)

    assert listed.disabled
    assert {each.state for each in held} == {PENDING}
    assert not on.disabled


async def test_redirects_are_not_followed(hooked: HookShop) -> None:
    async with webhook_sink() as (sink, elsewhere), saying(302, b"", f"location: {elsewhere}") as peer:
        await hooked.create(peer.url, "order.paid")
        await hooked.place()
        (failed,) = await hooked.until(lambda each: each.attempts >= 1)

        assert "redirects are not followed" in failed.last_error
        assert failed.response_status == 302
        assert sink._deliveries.empty()
        # A URL without a path is asked for its root.
        assert peer.requests[0].startswith(b"POST / HTTP/1.1\r\n")


async def test_of_a_large_answer_the_status_counts(hooked: HookShop) -> None:
    async with saying(200, b"x" * 100_000) as peer:
        await hooked.create(f"{peer.url}/hooks?a=b", "order.paid")
        await hooked.place()
        (told,) = await hooked.until(lambda each: each.attempts >= 1)

        assert (told.state, told.response_status, told.last_error) == (DELIVERED, 200, "")
        assert peer.requests[0].startswith(b"POST /hooks?a=b HTTP/1.1\r\n")


async def test_one_that_asks_to_be_left_alone_is(hooked: HookShop) -> None:
    async with saying(429, b"", "retry-after: 3600") as peer:
        await hooked.create(peer.url, "order.paid")
        await hooked.place()
        (failed,) = await hooked.until(lambda each: each.attempts >= 1)

    wait = failed.next_attempt_time.ToSeconds() - failed.create_time.ToSeconds()
    assert 3590 <= wait <= 3610


async def test_one_that_hangs_keeps_nobody_waiting(hooked: HookShop) -> None:
    async def hang(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.until_closed()

    async with HttpPeer(hang) as dead, webhook_sink() as (sink, url):
        await hooked.create(f"{dead.url}/", key="dead")
        await hooked.create(url, "order.paid", key="alive")
        for number in range(20):
            await hooked.place(f"k-{number}")
        came = await taken(sink.next, 20)

        assert len({each.headers["webhook-id"] for each in came}) == 20
        assert dead.connections <= 8


async def test_an_endpoint_that_is_taken_away_hears_no_more(hooked: HookShop) -> None:
    async with webhook_sink([500]) as (sink, url):
        endpoint = await hooked.create(url, "order.paid")
        await hooked.place("k-1")
        await taken(sink.next, 1)
        await hooked.until(lambda each: each.attempts >= 1)
        request = pb.DeleteWebhookEndpointRequest(endpoint_id=endpoint.endpoint_id)
        for _ in range(2):
            await hooked.hooks.DeleteWebhookEndpoint(request)
        await hooked.place("k-2")

        assert await hooked.log() == []
        assert sink._deliveries.empty()


async def test_equal_calls_make_one_endpoint_and_tell_its_secret_again(hooked: HookShop) -> None:
    made = await asyncio.gather(*(hooked.create("https://shop.example/hooks", "order.paid") for _ in range(5)))

    (listed,) = (await hooked.hooks.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest())).endpoints
    assert {(each.endpoint_id, each.secret) for each in made} == {(listed.endpoint_id, made[0].secret)}
    assert made[0].secret.startswith("whsec_")
    assert listed.secret == ""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await hooked.create("https://shop.example/other")
    assert refused(failed).reason is Reason.REQUEST_ID_REUSED


async def test_what_makes_no_sense_is_refused_naming_the_field(hooked: HookShop) -> None:
    for url, event_types, field in (
        ("http://shop.example/", (), "url"),
        ("https://shop.example/", ("order.payed",), "event_types[0]"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await hooked.create(url, *event_types)
        assert [each.field for each in refused(failed).fields] == [field]


async def test_what_is_not_there_is_not_found(hooked: HookShop) -> None:
    rotate = pb.RotateWebhookSecretRequest(request_id="r", endpoint_id=NOWHERE)
    for call, reason in (
        (hooked.update(NOWHERE, "u", disabled=True), Reason.WEBHOOK_ENDPOINT_NOT_FOUND),
        (hooked.hooks.RotateWebhookSecret(rotate), Reason.WEBHOOK_ENDPOINT_NOT_FOUND),
        (hooked.replay(NOWHERE, "r"), Reason.WEBHOOK_DELIVERY_NOT_FOUND),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call
        assert refused(failed).reason is reason


async def test_an_endpoint_is_changed_in_what_is_named(hooked: HookShop) -> None:
    endpoint = await hooked.create("https://shop.example/hooks", "order.paid")

    changed = await hooked.update(endpoint.endpoint_id, "u-1", disabled=True, event_types=["order.failed"])
    everything = await hooked.update(endpoint.endpoint_id, "u-2", event_types=["*"])
    repeated = await hooked.update(endpoint.endpoint_id, "u-1", disabled=True, event_types=["order.failed"])

    assert (changed.url, list(changed.event_types), changed.disabled) == (endpoint.url, ["order.failed"], True)
    assert (list(everything.event_types), everything.disabled) == ([], True)
    assert repeated == everything


async def test_the_log_comes_page_by_page(hooked: HookShop) -> None:
    async with webhook_sink() as (_, url):
        await hooked.create(url)
        order_id = await hooked.place("k-1")
        await hooked.place("k-2")
        everything = await hooked.until(lambda each: each.state == DELIVERED, 4)

    request = pb.ListWebhookDeliveriesRequest(page_size=3)
    first = await hooked.hooks.ListWebhookDeliveries(request)
    request.page_token = first.next_page_token
    second = await hooked.hooks.ListWebhookDeliveries(request)
    assert [*first.deliveries, *second.deliveries] == everything
    assert not second.next_page_token
    assert {each.order_id for each in await hooked.log(order_id=order_id)} == {order_id}
    assert await hooked.log(state=PENDING) == []
    request.order_id = order_id
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await hooked.hooks.ListWebhookDeliveries(request)
    assert [each.field for each in refused(failed).fields] == ["page_token"]


async def test_a_service_that_starts_again_knows_its_listeners_before_its_first_order(shop: Shop) -> None:
    async with webhook_sink() as (sink, url):
        async with a_hook_shop(shop) as hooked:
            await hooked.create(url, "order.placed")
        async with a_hook_shop(shop) as hooked:
            await hooked.place()
            await taken(sink.next, 1)


async def test_after_a_kill_in_the_middle_of_a_post_it_is_posted_again_under_its_id(
    tmp_path: Path, sqlite_url: str
) -> None:
    answering = asyncio.Event()

    async def answer_later(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await answering.wait()
            await conversation.say(b"HTTP/1.1 204 Taken\r\n\r\n")

    async with HttpPeer(answer_later) as receiver, running_peers() as peers, asyncio.timeout(3 * PATIENCE_SECONDS):
        values = environment(tmp_path) | {
            "ORDER_DATABASE_URL": sqlite_url,
            **dict.fromkeys(("TAX_ADDR", "PAYMENT_ADDR", "NOTIFY_ADDR"), peers.address),
        }
        for life in range(2):
            process = MeshProcess(["serve", "order"], values, tmp_path / "order.log")
            try:
                await asyncio.to_thread(process.wait_until, "listens on")
                async with grpc.aio.insecure_channel(values["ORDER_ADDR"]) as channel:
                    hooked = HookShop(
                        order_service_pb2_grpc.OrderServiceStub(channel),
                        webhook_service_pb2_grpc.WebhookServiceStub(channel),
                    )
                    if life == 0:
                        await hooked.create(receiver.url, "order.paid")
                        await hooked.place()
                        await receiver.asked.wait()
                    else:
                        answering.set()
                        (delivered,) = await hooked.until(lambda each: each.state == DELIVERED)
            finally:
                process.kill()

    ids = {line for whole in receiver.requests for line in whole.split(b"\r\n") if line.startswith(b"webhook-id")}
    assert len(receiver.requests) == 2
    assert ids == {f"webhook-id: {delivered.message_id}".encode()}
