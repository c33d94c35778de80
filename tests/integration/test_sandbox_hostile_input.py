"""Whatever is sent, the sandbox answers as a provider would: never with a defect of its own."""

import copy
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.sandbox_world import (
    PHILADELPHIA,
    STRIPE_KEY,
    WASHINGTON,
    World,
    document,
    mail,
    sandbox_world,
)

HOSTILE: list[object] = [None, True, -1, 1e308, "", "é\u0000", "NaN", "a" * 300, [], {"a": None}]
HOSTILE_TEXTS = ["", "x", "-5", "²", "9" * 20, "é\u0000", "pm_card_chargeDeclined"]

DOCUMENT = document(
    discount=1,
    exemptionNo="",
    taxOverride={"type": "TaxAmount", "taxAmount": 1, "reason": "test"},
    lines=[
        {
            "number": "1",
            "amount": 10,
            "quantity": 2,
            "discounted": True,
            "taxIncluded": True,
            "taxCode": "NT",
            "entityUseCode": "A",
            "taxOverride": {"type": "TaxAmount", "taxAmount": 1},
            "addresses": {"shipFrom": WASHINGTON, "shipTo": PHILADELPHIA},
        }
    ],
)
REFUND = {
    "refundTransactionCode": "r", "refundDate": "2026-11-23", "refundType": "Partial", "refundPercentage": 50,
    "refundLines": ["1"],
}  # fmt: skip
LETTER = mail(
    categories=["a"],
    send_at=1,
    template_id="t-1",
    mail_settings={"sandbox_mode": {"enable": False}},
    attachments=[{"content": "x", "filename": "y"}],
    personalizations=[
        {
            "to": [{"email": "a@b.example"}],
            "cc": [{"email": "c@b.example", "name": "C"}],
            "substitutions": {"a": "b"},
            "custom_args": {"order_id": "1"},
            "subject": "s",
            "send_at": 5,
        }
    ],
)
PAYMENT = {
    "amount": "1000", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa", "off_session": "true",
    "automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never",
    "capture_method": "manual", "metadata[order_id]": "o", "expand[0]": "latest_charge", "shipping[name]": "x",
    "shipping[address][line1]": "y", "payment_method_options[card]": "", "payment_method_data[type]": "card",
    "payment_method_data[card][number]": "4242424242424242", "customer": "cus_1",
}  # fmt: skip
QUERY = {"limit": "5", "created[gte]": "5", "starting_after": "pi_1", "query": "status:'succeeded'", "customer": "c"}


@pytest.fixture
async def world(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[World]:
    async with sandbox_world(tmp_path) as running:
        yield running
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def spoiled(whole: Any) -> Iterator[Any]:  # noqa: ANN401  (JSON is any value)
    """Yield copies of a JSON value with one part after another replaced by something hostile, or left out."""
    if isinstance(whole, dict):
        for name, part in whole.items():
            yield {other: value for other, value in whole.items() if other != name}
            for other in spoiled(part):
                yield {**copy.deepcopy(whole), name: other}
    elif isinstance(whole, list):
        for index, part in enumerate(whole):
            for other in spoiled(part):
                yield [*whole[:index], other, *whole[index + 1 :]]
    yield from HOSTILE


def spoiled_forms(form: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield forms with one field replaced by something hostile, left out, or turned into an object or a list."""
    for name in form:
        rest = {other: value for other, value in form.items() if other != name}
        yield rest
        yield {**rest, f"{name}[x]": "1"}
        yield {**rest, f"{name}[]": "1", f"{name}[": "2"}
        for text in HOSTILE_TEXTS:
            yield {**rest, name: text}


def assert_answered(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.request.content[:500]


async def test_tax_documents(world: World) -> None:
    await world.avatax_post("/transactions/create", document(commit=True))
    for body in spoiled(DOCUMENT):
        assert_answered(await world.avatax_post("/transactions/create", body))
    for body in spoiled(REFUND):
        assert_answered(await world.avatax_post("/companies/DEFAULT/transactions/order-1/refund", body))
    for body in spoiled(PHILADELPHIA):
        assert_answered(await world.avatax_post("/addresses/resolve", body))


async def test_mails(world: World) -> None:
    for body in spoiled(LETTER):
        assert_answered(await world.send_mail(body))


async def test_payments(world: World) -> None:
    paid = await world.pay()
    waiting = await world.pay(method="pm_card_authenticationRequired")
    for form in spoiled_forms(PAYMENT):
        for path in ("", f"/{waiting.id}", f"/{waiting.id}/confirm"):
            assert_answered(await world.stripe_post(f"/v1/payment_intents{path}", form))
    for form in spoiled_forms({"payment_intent": paid.id, "amount": "1", "reason": "duplicate", "metadata[a]": "b"}):
        assert_answered(await world.stripe_post("/v1/refunds", form))


async def test_lists(world: World) -> None:
    for query in spoiled_forms(QUERY):
        for path in ("payment_intents", "payment_intents/search", "refunds", "events", "charges/ch_1"):
            assert_answered(await world.http.get(f"/stripe/v1/{path}", params=query, headers=STRIPE_KEY))
