"""What Stripe refuses, and in which words."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.sandbox_world import STRIPE_KEY, World, sandbox_world


@pytest.fixture(scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world for tests whose requests are all refused: they leave no trace, so one is enough for all of them."""
    async with sandbox_world(tmp_path_factory.mktemp("refusing")) as running:
        yield running


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
