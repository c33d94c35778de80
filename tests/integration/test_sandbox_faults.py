"""Faults on demand, as the provider's caller suffers them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import stripe

from tests.fakes.manual_clock import ManualClock
from tests.fakes.sandbox_world import CARD_ONLY, World, document, mail, sandbox_world


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def world(tmp_path: Path, clock: ManualClock) -> AsyncIterator[World]:
    async with sandbox_world(tmp_path, clock=clock) as running:
        yield running


@pytest.fixture(scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world for tests whose requests are all refused: they leave no trace, so one is enough for all of them."""
    async with sandbox_world(tmp_path_factory.mktemp("refusing")) as running:
        yield running


async def test_an_outage_cuts_every_connection_until_it_is_over(world: World) -> None:
    for provider in ("stripe", "avatax", "sendgrid"):
        await world.fault(provider, mode="outage")
    with pytest.raises(stripe.APIConnectionError):
        await world.pay()
    with pytest.raises(httpx.TransportError):
        await world.avatax_post("/transactions/create", document())
    with pytest.raises(httpx.TransportError):
        await world.send_mail(mail())

    await world.http.delete("/faults")

    assert (await world.pay()).status == "succeeded"
    assert (await world.send_mail(mail())).status_code == 202
    ledger = await world.ledger()
    assert [len(ledger[name]) for name in ("charges", "documents", "mails")] == [1, 0, 1]


async def test_a_fault_hits_only_its_operation_and_disappears_after_its_times(world: World) -> None:
    await world.fault("stripe", mode="outage", operation="refunds.create", times=2)
    intent = await world.pay()

    for _ in range(2):
        with pytest.raises(stripe.APIConnectionError):
            await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})

    assert (await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})).status == "succeeded"
    assert (await world.http.get("/faults")).json() == {"stripe": [], "avatax": [], "sendgrid": []}


async def test_a_lost_answer_was_given_and_is_given_again(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await intents.create_async({"amount": 1000, "currency": "usd", "automatic_payment_methods": CARD_ONLY})
    await world.fault("stripe", mode="lost_answer", operation="payment_intents.confirm", times=1)
    card, key = "pm_card_visa", "confirm-1"
    with pytest.raises(stripe.APIConnectionError):
        await intents.confirm_async(intent.id, {"payment_method": card}, {"idempotency_key": key})

    assert (await intents.retrieve_async(intent.id)).status == "succeeded"
    again = await intents.confirm_async(intent.id, {"payment_method": card}, {"idempotency_key": key})

    assert again.status == "succeeded"
    assert len((await world.ledger())["charges"]) == 1


async def test_a_late_execution_happens_after_the_connection_is_gone(world: World, clock: ManualClock) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await intents.create_async({"amount": 1000, "currency": "usd", "automatic_payment_methods": CARD_ONLY})
    await world.fault("stripe", mode="late_execution", operation="payment_intents.confirm", times=1, delay_ms=7000)
    with pytest.raises(stripe.APIConnectionError):
        await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"}, {"idempotency_key": "c1"})
    await clock.until_asleep(7)
    assert (await intents.retrieve_async(intent.id)).status == "requires_payment_method"
    with pytest.raises(stripe.APIError) as busy:
        await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"}, {"idempotency_key": "c1"})
    assert busy.value.http_status == 409

    clock.advance(7)

    again = await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"}, {"idempotency_key": "c1"})
    assert again.status == "succeeded"
    assert len((await world.ledger())["charges"]) == 1


async def test_latency_makes_the_caller_wait(world: World, clock: ManualClock) -> None:
    await world.fault("avatax", mode="latency", operation="transactions.create", latency_ms=9000)
    call = asyncio.create_task(world.avatax_post("/transactions/create", document()))

    await clock.until_asleep(9)
    assert not call.done()
    clock.advance(9)

    assert (await call).status_code == 201


@pytest.mark.parametrize("executed", [False, True])
async def test_stripe_keeps_a_500_under_its_key(world: World, *, executed: bool) -> None:
    await world.fault("stripe", mode="error", operation="payment_intents.create", times=1, executed=executed)
    form = {"amount": "1000", "currency": "usd"}

    answers = [await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[0].json()["error"]["type"] == "api_error"
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotent-replayed"] == "true"
    made = await world.sdk.v1.payment_intents.list_async()
    assert len(made.data) == int(executed)


@pytest.mark.parametrize("status", [429, 503])
async def test_an_error_before_stripe_begins_is_not_kept(world: World, status: int) -> None:
    await world.fault("stripe", mode="error", operation="payment_intents.create", times=1, status=status)
    form = {"amount": "1000", "currency": "usd"}

    answers = [await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [status, 200]


async def test_an_edge_error_after_execution_leaves_the_true_answer_under_the_key(world: World) -> None:
    await world.fault("stripe", mode="error", operation="payment_intents.create", times=1, status=504, executed=True)
    form = {"amount": "1000", "currency": "usd"}

    answers = [await world.stripe_post("/v1/payment_intents", form, idempotency_key="k1") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [504, 200]
    assert len((await world.sdk.v1.payment_intents.list_async()).data) == 1


async def test_errors_wear_each_providers_own_clothes(world: World) -> None:
    await world.fault("avatax", mode="error", status=503)
    await world.fault("sendgrid", mode="error", status=429, executed=True)

    tax = await world.avatax_post("/transactions/create", document())
    sent = await world.send_mail(mail())

    assert (tax.status_code, tax.json()["error"]["code"]) == (503, "ServerUnreachable")
    assert (sent.status_code, sent.json()["errors"][0]["message"]) == (429, "too many requests")
    ledger = await world.ledger()
    assert (len(ledger["documents"]), len(ledger["mails"])) == (0, 1)


async def test_faults_leave_the_sandboxs_own_levers_alone(world: World) -> None:
    waiting = await world.pay(method="pm_card_threeDSecure2Required")
    for provider in ("stripe", "sendgrid"):
        await world.fault(provider, mode="outage")

    assert await world.mails() == []
    assert (await world.http.get("/sendgrid/_sandbox/public_key")).status_code == 200
    assert (await world.http.get(f"/stripe/_sandbox/payment_intents/{waiting.id}/authenticate")).status_code == 200
    for page in ("/", "/ledger.html", "/faults.html", "/sendgrid/_sandbox/mailbox.html"):
        assert (await world.http.get(page)).status_code == 200
    assert (await world.http.get("/healthz")).json() == {"status": "ok"}


async def test_faults_are_shown_as_they_were_set_and_removed(world: World) -> None:
    fault = {"mode": "latency", "operation": "mail.send", "latency_ms": 50, "probability": 0.5}

    assert (await world.fault("sendgrid", **fault)).json() == {"sendgrid": [fault]}
    assert (await world.http.get("/faults/sendgrid")).json() == {"sendgrid": [fault]}
    assert (await world.http.get("/faults")).json()["sendgrid"] == [fault]
    assert (await world.http.delete("/faults/sendgrid")).json() == {"sendgrid": []}


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({}, "mode"),
        ({"mode": "earthquake"}, "mode"),
        ({"mode": "outage", "operation": "payment_intents.pay"}, "operation"),
        ({"mode": "outage", "operation": "sandbox.authenticate"}, "operation"),
        ({"mode": "outage", "probability": 0}, "probability"),
        ({"mode": "outage", "times": 0}, "times"),
        ({"mode": "outage", "latency_ms": 5}, "latency_ms"),
        ({"mode": "latency", "latency_ms": -1}, "latency_ms"),
        ({"mode": "error", "status": 200}, "status"),
        ({"mode": "error", "executed": "yes"}, "executed"),
        ({"mode": "error", "status": True}, "status"),
        ([], "JSON object"),
    ],
)
async def test_a_senseless_fault_is_refused_by_name(refusing: World, fault: object, field: str) -> None:
    answer = await refusing.http.put("/faults/stripe", json=fault)

    assert answer.status_code == 400
    assert field in answer.json()["error"]
    assert (await refusing.http.get("/faults/stripe")).json() == {"stripe": []}


async def test_faults_have_known_addresses(refusing: World) -> None:
    assert (await refusing.http.put("/faults/paypal", json={"mode": "outage"})).status_code == 404
    assert (await refusing.http.put("/faults/stripe", content=b"{")).status_code == 400
