"""Stripe as the real SDK sees it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import stripe

from tests.fakes.manual_clock import ManualClock
from tests.fakes.sandbox_world import CARD_ONLY, STRIPE_KEY, World, sandbox_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sandbox_world(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world for tests whose requests are all refused: they leave no trace, so one is enough for all of them."""
    async with sandbox_world(tmp_path_factory.mktemp("refusing")) as running:
        yield running


async def test_a_card_is_charged_in_two_steps(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await intents.create_async(
        {"amount": 1000, "currency": "USD", "automatic_payment_methods": CARD_ONLY, "metadata": {"order_id": "o1"}}
    )
    assert (intent.status, intent.currency, intent.payment_method) == ("requires_payment_method", "usd", None)

    paid = await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge"]})

    assert (paid.status, paid.amount_received, paid.last_payment_error) == ("succeeded", 1000, None)
    charge = paid.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.paid, charge.captured, charge.amount_captured, charge.status) == (True, True, 1000, "succeeded")
    assert charge.metadata.to_dict() == {"order_id": "o1"}
    assert (await intents.retrieve_async(intent.id)).latest_charge == charge.id
    assert (await world.sdk.v1.charges.retrieve_async(charge.id)).payment_intent == intent.id


async def test_an_intent_with_a_payment_method_waits_for_confirmation(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await intents.create_async(
        {"amount": 1000, "currency": "usd", "automatic_payment_methods": CARD_ONLY, "payment_method": "pm_card_amex"}
    )

    assert intent.status == "requires_confirmation"
    assert intent.payment_method is not None
    assert (await intents.confirm_async(intent.id)).status == "succeeded"


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
    ],
)
async def test_a_declined_card_is_a_card_error_with_its_reason(
    world: World, method: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await world.pay(method=method)

    error = refused.value.error
    assert error is not None
    assert (refused.value.http_status, refused.value.code, error.decline_code) == (402, code, decline_code)
    intent = error.payment_intent
    assert intent is not None
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    again = await world.sdk.v1.payment_intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert again.last_payment_error is not None
    assert again.last_payment_error.decline_code == decline_code
    assert isinstance(again.latest_charge, stripe.Charge)
    assert (again.latest_charge.status, again.latest_charge.id) == ("failed", error.charge)
    assert (await world.ledger())["charges"] == []


async def test_a_declined_intent_can_be_paid_with_another_card(world: World) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await world.pay(method="pm_card_chargeDeclined")
    assert refused.value.error is not None
    assert refused.value.error.payment_intent is not None

    intents = world.sdk.v1.payment_intents
    paid = await intents.confirm_async(refused.value.error.payment_intent.id, {"payment_method": "pm_card_visa"})

    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize("method", ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"])
async def test_a_3ds_card_is_paid_once_its_holder_has_authenticated(world: World, method: str) -> None:
    intent = await world.pay(method=method)
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.client_secret is not None

    answer = await world.http.post(
        f"/stripe/_sandbox/payment_intents/{intent.id}/authenticate", json={"outcome": "succeed"}
    )

    assert (answer.status_code, answer.json()["status"], answer.json()["amount_received"]) == (200, "succeeded", 1000)


async def test_failed_authentication_gives_the_intent_back(world: World) -> None:
    intent = await world.pay(method="pm_card_threeDSecure2Required")

    answer = await world.http.post(
        f"/stripe/_sandbox/payment_intents/{intent.id}/authenticate", json={"outcome": "fail"}
    )

    assert answer.json()["status"] == "requires_payment_method"
    assert answer.json()["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert (await world.ledger())["charges"] == []


async def test_a_3ds_card_may_still_be_declined_after_authentication(world: World) -> None:
    intent = await world.pay(method="pm_card_threeDSecureRequiredChargeDeclined")

    answer = await world.http.post(
        f"/stripe/_sandbox/payment_intents/{intent.id}/authenticate", json={"outcome": "succeed"}
    )

    assert answer.json()["last_payment_error"]["code"] == "card_declined"


async def test_the_3ds_page_and_its_way_back_are_told_when_a_return_url_is_given(world: World) -> None:
    intent = await world.pay(
        method="pm_card_threeDSecure2Required",
        return_url="https://shop.example/back",
        automatic_payment_methods={"enabled": True},
    )

    assert intent.next_action is not None
    redirect = intent.next_action.redirect_to_url
    assert redirect is not None
    assert redirect.url is not None
    assert redirect.return_url == "https://shop.example/back"
    page = await world.http.get(redirect.url)
    assert (page.status_code, intent.id in page.text) == (200, True)


async def test_a_payment_without_its_holder_present_cannot_ask_him(world: World) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await world.pay(method="pm_card_authenticationRequired", off_session=True)

    assert refused.value.code == "authentication_required"


async def test_authorised_money_is_captured_in_part_and_the_rest_released(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await world.pay(capture_method="manual")
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 1000, 0)
    assert (await world.ledger())["charges"][0]["status"] == "requires_capture"

    with pytest.raises(stripe.InvalidRequestError) as refused:
        await intents.capture_async(intent.id, {"amount_to_capture": 1001})
    assert refused.value.code == "amount_too_large"
    captured = await intents.capture_async(intent.id, {"amount_to_capture": 700})

    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 700, 0)
    assert (await world.ledger())["charges"][0]["amount"] == 700
    with pytest.raises(stripe.InvalidRequestError) as late:
        await intents.capture_async(intent.id)
    assert late.value.code == "payment_intent_unexpected_state"


async def test_an_intent_is_cancelled_unless_it_is_paid(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    held, paid = await world.pay(capture_method="manual"), await world.pay()

    gone = await intents.cancel_async(held.id, {"cancellation_reason": "abandoned"})

    assert (gone.status, gone.cancellation_reason, gone.amount_capturable) == ("canceled", "abandoned", 0)
    for call in (intents.cancel_async(paid.id), intents.confirm_async(paid.id), intents.confirm_async(gone.id)):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await call
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.error is not None
        assert refused.value.error.payment_intent is not None
    assert [charge["payment_intent"] for charge in (await world.ledger())["charges"]] == [paid.id]


async def test_updates_change_what_is_not_yet_paid(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await intents.create_async(
        {"amount": 1000, "currency": "usd", "automatic_payment_methods": CARD_ONLY, "metadata": {"a": "1", "b": "2"}}
    )

    changed = await intents.update_async(intent.id, {"amount": 1200, "metadata": {"a": "", "c": "3"}})
    assert (changed.amount, changed.metadata.to_dict()) == (1200, {"b": "2", "c": "3"})

    await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (await intents.update_async(intent.id, {"metadata": {"d": "4"}})).metadata["d"] == "4"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await intents.update_async(intent.id, {"amount": 1300})
    assert refused.value.code == "payment_intent_unexpected_state"


async def test_refunds_never_exceed_the_charge(world: World) -> None:
    refunds = world.sdk.v1.refunds
    intent = await world.pay(metadata={"order_id": "o1"})

    first = await refunds.create_async({"payment_intent": intent.id, "amount": 300, "reason": "requested_by_customer"})
    assert (first.status, first.amount, first.charge) == ("succeeded", 300, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await refunds.create_async({"payment_intent": intent.id, "amount": 701})
    rest = await refunds.create_async({"payment_intent": intent.id})
    assert rest.amount == 700
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await refunds.create_async({"payment_intent": intent.id, "amount": 1})

    assert refused.value.code == "charge_already_refunded"
    assert (await refunds.retrieve_async(first.id)).amount == 300
    listed = await refunds.list_async({"payment_intent": intent.id})
    assert [refund.id for refund in listed.data] == [rest.id, first.id]
    ledger = await world.ledger("o1")
    assert ledger["charges"][0]["amount_refunded"] == 1000
    assert [refund["amount"] for refund in ledger["refunds"]] == [300, 700]


async def test_a_payment_that_took_nothing_cannot_be_refunded(world: World) -> None:
    intent = await world.pay(capture_method="manual")

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})


async def test_a_customer_keeps_a_card(world: World) -> None:
    customer = await world.sdk.v1.customers.create_async({"email": "a@shop.example", "name": "A"})
    method = await world.sdk.v1.payment_methods.create_async({"type": "card", "card": {"token": "tok_visa"}})
    await world.sdk.v1.payment_methods.attach_async(method.id, {"customer": customer.id})

    for _ in range(2):
        paid = await world.pay(method=method.id, customer=customer.id)
        assert (paid.status, paid.payment_method, paid.customer) == ("succeeded", method.id, customer.id)

    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        await world.sdk.v1.payment_methods.attach_async(method.id, {"customer": customer.id})
    listed = await world.sdk.v1.payment_intents.list_async({"customer": customer.id})
    assert len(listed.data) == 2


async def test_a_card_that_belongs_to_nobody_pays_once(world: World) -> None:
    method = await world.sdk.v1.payment_methods.create_async(
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2035, "cvc": "123"}}
    )
    assert (await world.pay(method=method.id)).status == "succeeded"

    with pytest.raises(stripe.InvalidRequestError, match="previously used"):
        await world.pay(method=method.id)


@pytest.mark.parametrize(
    ("form", "status", "code", "param"),
    [
        ({"currency": "usd"}, 400, "parameter_missing", "amount"),
        ({"amount": "0", "currency": "usd"}, 400, "parameter_invalid_integer", "amount"),
        ({"amount": "ten", "currency": "usd"}, 400, "parameter_invalid_integer", "amount"),
        ({"amount": "49", "currency": "usd"}, 400, "amount_too_small", "amount"),
        ({"amount": "100000000", "currency": "usd"}, 400, "amount_too_large", "amount"),
        ({"amount": "1000", "currency": "xyz"}, 400, None, "currency"),
        ({"amount": "1000", "currency": ""}, 400, "parameter_invalid_empty", "currency"),
        ({"amount": "1000", "currency": "usd", "amuont": "1"}, 400, "parameter_unknown", "amuont"),
        ({"amount": "1000", "currency": "usd", "payment_method_types[]": "card"}, 400, "parameter_unknown", None),
        ({"amount": "1000", "currency": "usd", "capture_method": "later"}, 400, None, "capture_method"),
        ({"amount": "1000", "currency": "usd", "confirm": "maybe"}, 400, None, "confirm"),
        (
            {"amount": "1000", "currency": "usd", "payment_method": "pm_nope"},
            400,
            "resource_missing",
            "payment_method",
        ),
        ({"amount": "1000", "currency": "usd", "customer": "cus_nope"}, 400, "resource_missing", "customer"),
        ({"amount": "1000", "currency": "usd", f"metadata[{'k' * 41}]": "v"}, 400, None, "metadata"),
        ({"amount": "1000", "currency": "usd", "metadata[k]": "v" * 501}, 400, None, "metadata[k]"),
        ({"amount": "1000", "currency": "usd", "off_session": "true"}, 400, None, "off_session"),
        ({"amount": "1005", "currency": "kwd"}, 400, "parameter_invalid_integer", "amount"),
        ({"amount": "1000", "currency": "usd", "expand[]": "tax"}, 400, None, "expand"),
    ],
)
async def test_what_stripe_refuses_is_refused_the_same_way(
    refusing: World, form: dict[str, str], status: int, code: str | None, param: str | None
) -> None:
    answer = await refusing.stripe_post("/v1/payment_intents", form)

    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error.get("code")) == (status, "invalid_request_error", code)
    assert error["message"]
    if param is not None:
        assert error["param"] == param
    if code is not None:
        assert error["doc_url"].endswith(code.replace("_", "-"))


async def test_a_card_that_could_redirect_needs_a_return_url(refusing: World) -> None:
    form = {"amount": "1000", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa"}

    answer = await refusing.stripe_post("/v1/payment_intents", form)

    assert answer.status_code == 400
    assert "return_url" in answer.json()["error"]["message"]
    assert (await refusing.sdk.v1.events.list_async()).data == []


@pytest.mark.parametrize(
    ("path", "param"),
    [("payment_intents/pi_nope", "intent"), ("refunds/re_nope", "refund"), ("charges/ch_nope", "id")],
)
async def test_a_missing_object_is_404(refusing: World, path: str, param: str) -> None:
    answer = await refusing.http.get(f"/stripe/v1/{path}", headers=STRIPE_KEY)

    assert answer.status_code == 404
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("resource_missing", param)


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        ({}, "You did not provide an API key"),
        ({"authorization": "Bearer sk_live_0123456789"}, "Invalid API Key provided: sk_live*"),
        ({"authorization": "Bearer nonsense"}, "Invalid API Key provided"),
        ({"authorization": "Basic !"}, "You did not provide an API key"),
    ],
)
async def test_only_test_keys_open_the_door(refusing: World, authorization: dict[str, str], words: str) -> None:
    answer = await refusing.http.get("/stripe/v1/payment_intents", headers=authorization)

    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["message"].startswith(words)
    assert "0123456789" not in answer.text


async def test_every_answer_names_its_request_and_version(refusing: World) -> None:
    answer = await refusing.http.get("/stripe/v1/refunds", headers={**STRIPE_KEY, "stripe-version": "2023-10-16"})

    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["stripe-version"] == "2023-10-16"
    wrong = await refusing.http.get("/stripe/v1/refunds", headers={**STRIPE_KEY, "stripe-version": "yesterday"})
    assert wrong.status_code == 400
    nowhere = await refusing.http.get("/stripe/v1/nothing", headers=STRIPE_KEY)
    assert nowhere.status_code == 404


async def test_lists_are_newest_first_a_page_at_a_time(world: World) -> None:
    ids = [(await world.pay(amount)).id for amount in (100, 200, 300)]
    intents = world.sdk.v1.payment_intents

    first = await intents.list_async({"limit": 2})
    assert ([intent.id for intent in first.data], first.has_more) == ([ids[2], ids[1]], True)
    rest = await intents.list_async({"limit": 2, "starting_after": ids[1]})
    assert ([intent.id for intent in rest.data], rest.has_more) == ([ids[0]], False)
    before = await intents.list_async({"limit": 1, "ending_before": ids[0]})
    assert ([intent.id for intent in before.data], before.has_more) == ([ids[1]], True)
    created = first.data[0].created
    assert len((await intents.list_async({"created": {"gte": created - 60}})).data) == 3
    assert (await intents.list_async({"created": {"gt": created + 60}})).data == []
    for form in ({"limit": "0"}, {"limit": "101"}, {"starting_after": "pi_nope"}):
        answer = await world.http.get("/stripe/v1/payment_intents", params=form, headers=STRIPE_KEY)
        assert answer.status_code == 400


async def test_search_finds_by_metadata_once_it_has_caught_up(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path, clock=clock) as world:
        paid = await world.pay(metadata={"order_id": "o1", "shop": "north"})
        await world.pay(2000, metadata={"order_id": "o2", "shop": "south"})

        async def search(query: str) -> list[str]:
            found = await world.sdk.v1.payment_intents.search_async({"query": query})
            return [intent.id for intent in found.data]

        assert await search("metadata['order_id']:'o1'") == []
        clock.advance(60)
        assert await search("metadata['order_id']:'o1'") == [paid.id]
        assert await search('metadata["shop"]:"north" AND status:"succeeded" AND amount<1500') == [paid.id]
        assert len(await search("metadata['shop']:'north' OR amount>1500")) == 2
        assert await search("-metadata['shop']:'south'") == [paid.id]
        with pytest.raises(stripe.InvalidRequestError):
            await search("metadata['order_id']=o1")


async def test_events_tell_what_happened_in_order(world: World) -> None:
    intent = await world.pay(metadata={"order_id": "o1"})
    await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})

    events = (await world.sdk.v1.events.list_async()).data

    assert [event.type for event in reversed(events)] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]
    paid = (await world.sdk.v1.events.list_async({"type": "payment_intent.succeeded"})).data[0]
    assert paid.data.object["id"] == intent.id
    assert paid.data.object["metadata"]["order_id"] == "o1"
    assert (await world.sdk.v1.events.retrieve_async(paid.id)).type == paid.type


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


async def test_an_authorisation_that_nobody_captures_expires_after_a_week(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path, clock=clock) as world:
        intent = await world.pay(capture_method="manual")

        clock.advance(7 * 24 * 3600)
        await clock.until_asleep(2)

        expired = await world.sdk.v1.payment_intents.retrieve_async(intent.id)
        assert (expired.status, expired.cancellation_reason) == ("canceled", "automatic")


@pytest.mark.parametrize(
    ("method", "at_first", "in_the_end", "returned"),
    [("pm_card_pendingRefund", "pending", "succeeded", 1000), ("pm_card_refundFail", "succeeded", "failed", 0)],
)
async def test_some_refunds_settle_late(
    tmp_path: Path, method: str, at_first: str, in_the_end: str, returned: int
) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path, clock=clock) as world:
        intent = await world.pay(method=method)
        refund = await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})
        assert refund.status == at_first

        clock.advance(3)
        await clock.until_asleep(2)

        assert (await world.sdk.v1.refunds.retrieve_async(refund.id)).status == in_the_end
        assert (await world.ledger())["charges"][0]["amount_refunded"] == returned
