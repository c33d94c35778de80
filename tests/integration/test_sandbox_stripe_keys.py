"""Stripe's idempotency keys."""

import asyncio
from pathlib import Path

from tests.fakes.manual_clock import ManualClock
from tests.fakes.sandbox_world import World, sandbox_world


async def test_the_same_key_gives_the_first_answer_again(world: World) -> None:
    form = {"amount": "1000", "currency": "usd", "metadata[order_id]": "o1"}

    first = await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")
    again = await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")

    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"] != again.headers["request-id"]
    listed = await world.sdk.v1.payment_intents.list_async()
    assert len(listed.data) == 1


async def test_the_same_key_for_something_else_is_refused(world: World) -> None:
    form = {"amount": "1000", "currency": "usd"}
    await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")

    other = await world.stripe_post("/v1/payment_intents", {**form, "amount": "1001"}, idempotency_key="k1")
    elsewhere = await world.stripe_post("/v1/customers", {"name": "A"}, idempotency_key="k1")

    for answer in (other, elsewhere):
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "idempotency_error")


async def test_a_decline_is_remembered_and_a_bad_request_is_not(world: World) -> None:
    card = {
        "amount": "1000",
        "currency": "usd",
        "confirm": "true",
        "payment_method": "pm_card_chargeDeclined",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
    }
    declined = [await world.stripe_post("/v1/payment_intents", card, idempotency_key="k1") for _ in range(2)]
    bad = {"amount": "ten", "currency": "usd"}
    refused = await world.stripe_post("/v1/payment_intents", bad, idempotency_key="k2")
    mended = await world.stripe_post("/v1/payment_intents", {**bad, "amount": "1000"}, idempotency_key="k2")

    assert [answer.status_code for answer in declined] == [402, 402]
    assert declined[1].headers["idempotent-replayed"] == "true"
    assert (refused.status_code, mended.status_code) == (400, 200)


async def test_a_key_in_flight_is_refused_until_its_request_is_done(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path, clock=clock) as world:
        await world.fault("stripe", mode="latency", operation="payment_intents.create", latency_ms=5000)
        form = {"amount": "1000", "currency": "usd"}
        first = asyncio.create_task(world.stripe_post("/v1/payment_intents", form, idempotency_key="k1"))
        await clock.until_asleep(5)
        await world.http.delete("/faults")

        meanwhile = await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")
        clock.advance(5)

        assert (meanwhile.status_code, meanwhile.json()["error"]["code"]) == (409, "idempotency_key_in_use")
        assert (await first).status_code == 200
        again = await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")
        assert again.content == (await first).content


async def test_a_key_is_forgotten_after_a_day(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path, clock=clock) as world:
        form = {"amount": "1000", "currency": "usd"}
        first = (await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")).json()["id"]
        clock.advance(24 * 3600 - 1)
        assert (await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")).json()["id"] == first
        clock.advance(1)

        assert (await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1")).json()["id"] != first
