"""The sandbox's pages: what is on record with its amounts, the fault switches, and the bank that asks who pays."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.fakes.sandbox_world import World, document, sandbox_world

BACK = "http://127.0.0.1:8080/shop/orders/o1"


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with sandbox_world(tmp_path_factory.mktemp("pages")) as running:
        yield running


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[World]:
    """A world for tests that set faults or look for nothing."""
    async with sandbox_world(tmp_path) as running:
        yield running


def text(answer: httpx.Response) -> str:
    """Return what a person reads, once the page is known to be fit for a strict browser."""
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", answer.text)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))


async def test_the_start_leads_to_every_page(own: World) -> None:
    start = await own.http.get("/")

    assert "everybody behaves" in text(start)
    for link in re.findall(r'href="(/[^"]*)"', start.text):
        assert (await own.http.get(link)).status_code == 200, link
    await own.fault("stripe", mode="outage")
    assert "1 set: a provider misbehaves" in text(await own.http.get("/"))


@pytest.mark.parametrize("path", ["/ledger.html", "/sendgrid/_sandbox/mailbox.html", "/faults.html"])
async def test_an_empty_sandbox_has_pages_too(own: World, path: str) -> None:
    answer = await own.http.get(path)

    assert answer.status_code == 200
    assert re.search("None|No mail yet|no fault is set", text(answer))


async def test_the_ledger_shows_what_is_on_record_with_the_digits_of_its_currency(world: World) -> None:
    paid = await world.pay(123456, metadata={"order_id": "o1"})
    await world.sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1050})
    for currency in ("jpy", "kwd"):
        await world.pay(1230, currency=currency, metadata={"order_id": "o2"})
    await world.pay(2000, method="pm_card_createDispute", metadata={"order_id": "o3"})
    await world.avatax_post("/transactions/create", document(currencyCode="EUR", commit=True))

    shown = text(await world.http.get("/ledger.html"))
    of_one = text(await world.http.get("/ledger.html", params={"order_id": "o1"}))

    for words in ("$1,234.56", "$10.50 given back", "¥1,230", "1.230 kwd", "needs response", "15.00 EUR", "Committed"):
        assert words in shown
    assert paid.id in of_one
    assert "¥1,230" not in of_one
    assert "needs response" not in of_one


async def test_a_card_that_was_declined_is_on_record_with_its_reason(world: World) -> None:
    intent = await world.sdk.v1.payment_intents.create_async({"amount": 900, "currency": "usd"})
    await world.stripe_post(
        f"/v1/payment_intents/{intent.id}/confirm",
        {"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds", "return_url": BACK},
    )

    shown = text(await world.http.get("/ledger.html"))

    assert "failed insufficient_funds" in shown


async def test_a_switch_sets_a_fault_and_ends_it(own: World) -> None:
    chosen = {"provider": "sendgrid", "mode": "error", "status": "503", "times": "2", "probability": "50"}
    # The form has a field for each kind of fault; those of others say nothing.
    form = {**chosen, "operation": "mail.send", "latency_ms": "7", "delay_ms": ""}

    answer = await own.http.post("/faults.html", data=form)

    assert (answer.status_code, answer.headers["location"]) == (303, "/faults.html")
    [fault] = (await own.http.get("/faults/sendgrid")).json()["sendgrid"]
    assert fault == {
        "mode": "error", "status": 503, "executed": False, "times": 2, "probability": 0.5, "operation": "mail.send",
    }  # fmt: skip
    shown = text(await own.http.get("/faults.html"))
    assert "error, status 503, of mail.send only, in 50 of 100 calls, 2 more times" in shown

    await own.http.post("/faults.html", data={"provider": "sendgrid", "end": "yes"})
    assert (await own.http.get("/faults/sendgrid")).json() == {"sendgrid": []}


@pytest.mark.parametrize(
    ("form", "status", "told"),
    [
        ({"provider": "stripe", "mode": "error", "status": "200"}, 400, "stripe: status: must be a whole number"),
        ({"provider": "stripe", "mode": "latency", "latency_ms": "long"}, 400, "latency_ms: must be a number"),
        ({"provider": "stripe", "mode": "outage", "probability": "0"}, 400, "probability: must be a number over 0"),
        ({"provider": "stripe"}, 400, "mode: must be one of"),
        ({"provider": "nobody", "mode": "outage"}, 400, "There is no such provider."),
        ({"provider": "stripe", "mode": "x" * 5000}, 413, "The form is too large."),
    ],
)
async def test_a_switch_says_what_is_wrong_and_sets_nothing(
    world: World, form: dict[str, str], status: int, told: str
) -> None:
    answer = await world.http.post("/faults.html", data=form)

    assert answer.status_code == status
    assert told in text(answer)
    assert (await world.http.get("/faults")).json()["stripe"] == []


@pytest.mark.parametrize(
    "sent", [{"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}, {"origin": "null"}]
)
async def test_no_other_site_presses_a_button(world: World, sent: dict[str, str]) -> None:
    waiting = await world.pay(method="pm_card_threeDSecure2Required")
    bank = f"/stripe/_sandbox/payment_intents/{waiting.id}/authenticate"

    switched = await world.http.post("/faults.html", data={"provider": "stripe", "mode": "outage"}, headers=sent)
    answered = await world.http.post(bank, data={"outcome": "succeed"}, headers=sent)

    assert (switched.status_code, answered.status_code) == (403, 403)
    assert (await world.http.get("/faults")).json()["stripe"] == []
    assert (await world.sdk.v1.payment_intents.retrieve_async(waiting.id)).status == "requires_action"


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "succeeded"), ("fail", "requires_payment_method")])
async def test_the_bank_asks_and_sends_the_buyer_back(world: World, outcome: str, status: str) -> None:
    waiting = await world.pay(1999, method="pm_card_threeDSecure2Required")
    bank = f"/stripe/_sandbox/payment_intents/{waiting.id}/authenticate"

    asked = await world.http.get(bank, params={"return_url": BACK})
    answered = await world.http.post(bank, params={"return_url": BACK}, data={"outcome": outcome})
    again = await world.http.get(bank, params={"return_url": BACK})

    assert "$19.99" in text(asked)
    # Browsers hold the redirect after a form to the policy of the page with the form.
    assert "form-action 'self' http://127.0.0.1:8080;" in asked.headers["content-security-policy"]
    assert (answered.status_code, answered.headers["location"]) == (303, BACK)
    assert (await world.sdk.v1.payment_intents.retrieve_async(waiting.id)).status == status
    assert "There is nothing to ask" in text(again)
    assert f'href="{BACK}"' in again.text


async def test_without_a_shop_to_go_back_to_the_bank_says_what_became_of_it(world: World) -> None:
    waiting = await world.pay(method="pm_card_threeDSecure2Required")
    bank = f"/stripe/_sandbox/payment_intents/{waiting.id}/authenticate"

    answered = await world.http.post(bank, data={"outcome": "succeed"})
    nothing = await world.http.post(bank, data={"outcome": "succeed"})

    assert "This payment is at: succeeded." in text(answered)
    assert nothing.status_code == 400
    assert (await world.http.get("/stripe/_sandbox/payment_intents/pi_none/authenticate")).status_code == 404


@pytest.mark.parametrize(
    "back", ["javascript:alert(1)", "//evil.example", "http://a; script-src *", "data:text/html,x"]
)
async def test_the_bank_leads_nowhere_that_a_browser_should_not_go(world: World, back: str) -> None:
    waiting = await world.pay(method="pm_card_threeDSecure2Required")

    asked = await world.http.get(
        f"/stripe/_sandbox/payment_intents/{waiting.id}/authenticate", params={"return_url": back}
    )

    assert "Back to the shop" not in text(asked)
    assert "form-action 'self';" in asked.headers["content-security-policy"]
