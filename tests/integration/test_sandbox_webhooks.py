"""Webhooks: signed as the providers sign them, retried, and out of the API's way."""

import base64
from pathlib import Path

import pytest
import stripe
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.http_peer import HttpPeer
from tests.fakes.manual_clock import ManualClock
from tests.fakes.sandbox_world import World, mail, sandbox_world
from tests.fakes.unused_ports import unused_port
from tests.fakes.webhook_sink import Delivery, WebhookSink, webhook_sink


async def test_stripe_events_are_accepted_by_the_sdk(tmp_path: Path) -> None:
    async with webhook_sink() as (sink, url), sandbox_world(tmp_path, stripe_webhook_url=url) as world:
        intent = await world.pay(metadata={"order_id": "o1"})

        delivery = await sink.next()

        signature = delivery.headers["stripe-signature"]
        event = world.sdk.construct_event(delivery.body, signature, "whsec_test")
        assert (event.type, event.data.object["id"]) == ("payment_intent.succeeded", intent.id)
        assert event.data.object["metadata"]["order_id"] == "o1"
        with pytest.raises(stripe.SignatureVerificationError):
            world.sdk.construct_event(delivery.body + b" ", signature, "whsec_test")
        with pytest.raises(stripe.SignatureVerificationError):
            world.sdk.construct_event(delivery.body, signature, "whsec_other")


async def test_the_life_of_a_payment_is_told(tmp_path: Path) -> None:
    async with webhook_sink() as (sink, url), sandbox_world(tmp_path, stripe_webhook_url=url) as world:
        held = await world.pay(capture_method="manual")
        await world.sdk.v1.payment_intents.cancel_async(held.id)
        waiting = await world.pay(method="pm_card_threeDSecure2Required")
        await world.http.post(f"/stripe/_sandbox/payment_intents/{waiting.id}/authenticate", json={"outcome": "fail"})
        paid = await world.pay()
        await world.sdk.v1.refunds.create_async({"payment_intent": paid.id})

        told = [world.sdk.construct_event(d.body, d.headers["stripe-signature"], "whsec_test").type for d in
                [await sink.next() for _ in range(8)]]  # fmt: skip

    assert sorted(told) == [
        "charge.refunded",
        "charge.refunded",
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
        "refund.created",
    ]


async def test_an_event_that_is_not_taken_comes_again(tmp_path: Path) -> None:
    clock = ManualClock()
    async with (
        webhook_sink([500, 500]) as (sink, url),
        sandbox_world(tmp_path, clock=clock, stripe_webhook_url=url) as world,
    ):
        await world.pay()
        deliveries = [await sink.next()]
        for seconds in (1, 5):
            await clock.until_asleep(seconds)
            clock.advance(seconds)
            deliveries.append(await sink.next())

        ids = {_event_id(delivery) for delivery in deliveries}
        assert len(ids) == 1
        await _until_told(world, ids.pop())


async def test_an_endpoint_that_comes_late_gets_everything(tmp_path: Path) -> None:
    clock, port = ManualClock(), unused_port()
    url = f"http://127.0.0.1:{port}/webhooks"
    async with sandbox_world(tmp_path, clock=clock, sendgrid_webhook_url=url) as world:
        await world.send_mail(mail())
        for seconds in (0.5, 1):
            await clock.until_asleep(seconds)
            clock.advance(seconds)
        await clock.until_asleep(2)
        sink = WebhookSink()
        async with HttpPeer(sink.answer, port=port):
            clock.advance(2)
            delivery = await sink.next()

    events = delivery.json()
    assert isinstance(events, list)
    assert len(events) == 2


async def test_what_nobody_took_is_delivered_after_a_restart(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}/webhooks"
    async with sandbox_world(tmp_path, stripe_webhook_url=nowhere, sendgrid_webhook_url=nowhere) as world:
        intent = await world.pay()
        await world.send_mail(mail())
    async with (
        webhook_sink() as (stripe_sink, stripe_url),
        webhook_sink() as (mail_sink, mail_url),
        sandbox_world(tmp_path, stripe_webhook_url=stripe_url, sendgrid_webhook_url=mail_url),
    ):
        event = (await stripe_sink.next()).json()
        events = (await mail_sink.next()).json()

    assert isinstance(event, dict)
    assert event["data"]["object"]["id"] == intent.id
    assert isinstance(events, list)
    assert [told["event"] for told in events] == ["processed", "delivered"]


async def test_mail_events_carry_the_custom_args_and_a_good_signature(tmp_path: Path) -> None:
    async with webhook_sink() as (sink, url), sandbox_world(tmp_path, sendgrid_webhook_url=url) as world:
        answer = await world.send_mail(mail())
        delivery = await sink.next()
        public_key = (await world.http.get("/sendgrid/_sandbox/public_key")).json()["public_key"]

    events = delivery.json()
    assert isinstance(events, list)
    assert [event["event"] for event in events] == ["processed", "delivered"]
    for event in events:
        assert (event["order_id"], event["message_id"], event["email"]) == ("order-1", "m-1", "buyer@shop.example")
        assert event["sg_message_id"].split(".")[0] == answer.headers["x-message-id"]
    assert len({event["sg_event_id"] for event in events}) == 2
    _verify(public_key, delivery)
    with pytest.raises(InvalidSignature):
        _verify(public_key, Delivery(delivery.headers, delivery.body + b" "))


async def test_a_bounce_is_told(tmp_path: Path) -> None:
    async with webhook_sink() as (sink, url), sandbox_world(tmp_path, sendgrid_webhook_url=url) as world:
        await world.send_mail(mail("nobody@bounce.example"))
        events = (await sink.next()).json()

    assert isinstance(events, list)
    assert [(event["event"], event.get("type")) for event in events] == [("processed", None), ("bounce", "bounce")]


async def test_an_absent_endpoint_does_not_hold_up_the_api(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}/webhooks"
    async with sandbox_world(tmp_path, stripe_webhook_url=nowhere) as world:
        for _ in range(20):
            assert (await world.pay()).status == "succeeded"


def _verify(public_key: str, delivery: Delivery) -> None:
    key = serialization.load_der_public_key(base64.b64decode(public_key))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = base64.b64decode(delivery.headers["x-twilio-email-event-webhook-signature"])
    timestamp = delivery.headers["x-twilio-email-event-webhook-timestamp"]
    key.verify(signature, timestamp.encode() + delivery.body, ec.ECDSA(hashes.SHA256()))


def _event_id(delivery: Delivery) -> str:
    event = delivery.json()
    assert isinstance(event, dict)
    return str(event["id"])


async def _until_told(world: World, event_id: str) -> None:
    """Wait until the sandbox has noted the delivery."""
    while (await world.sdk.v1.events.retrieve_async(event_id)).pending_webhooks:
        pass
