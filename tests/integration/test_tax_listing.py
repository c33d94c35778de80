"""AvaTax's list of documents as its adapter reads it: what it asks for, and what each answer means."""

from datetime import date
from pathlib import Path

import orjson
import pytest

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.app.ports import ListDenied
from tests.fakes.http_peer import saying
from tests.fakes.sandbox_world import document, sandbox_world
from tests.fakes.tax_samples import basis
from tests.fakes.tax_world import avatax_at
from tests.fakes.unused_ports import unused_port

DOCUMENT = {
    "code": "order-1",
    "type": "SalesInvoice",
    "status": "Committed",
    "currencyCode": "USD",
    "totalAmount": 15,
    "totalTax": 1.2,
    "date": "2026-11-23",
}


async def test_all_days_are_asked_for_and_by_id_so_that_new_documents_come_last() -> None:
    async with saying(200, b'{"value": []}') as peer, avatax_at(peer.url) as avatax:
        await avatax.list_recorded(200, 100)

    target = peer.requests[0].split(b" ")[1].decode()
    assert target.startswith("/api/v2/companies/DEFAULT/transactions?$filter=date%20ge%20")
    assert target.endswith("&$orderby=id%20asc&$top=100&$skip=200")


async def test_documents_of_other_systems_and_returns_are_listed_as_they_are(tmp_path: Path) -> None:
    async with sandbox_world(tmp_path) as world, avatax_at(f"{world.url}/avatax") as avatax:
        await world.avatax_post("/transactions/create", document(code="order-1", commit=True, date="2019-01-02"))
        await world.avatax_post(
            "/companies/DEFAULT/transactions/order-1/refund",
            {"refundTransactionCode": "back-1", "refundDate": "2026-11-23", "refundType": "Full"},
        )
        await world.avatax_post("/transactions/create", document(code="draft"))
        listed = await avatax.list_recorded(0, 100)

    assert isinstance(listed, Done)
    sale, returned, draft = listed.value.documents
    assert (sale.code, sale.amount, sale.tax, sale.booked_on) == (
        "order-1",
        Money("USD", 1500),
        Money("USD", 120),
        date(2019, 1, 2),
    )
    assert (returned.code, returned.kind, returned.amount) == ("back-1", "ReturnInvoice", Money("USD", -1500))
    assert (draft.code, draft.status) == ("draft", "Saved")


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_list_that_is_denied_says_why_and_does_not_stop_sales(status: int) -> None:
    body = orjson.dumps({"error": {"code": "PermissionRequired", "details": []}})
    async with saying(status, body) as peer, avatax_at(peer.url) as avatax:
        for _ in range(5):
            assert await avatax.list_recorded(0, 100) == NotDone(ListDenied("PermissionRequired"))
        await avatax.quote(basis())

    assert len(peer.requests) == 6


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_list_that_fails_can_be_asked_for_again(status: int) -> None:
    async with saying(status, b"", "retry-after: 7") as peer, avatax_at(peer.url) as avatax:
        assert await avatax.list_recorded(0, 100) == Unknown(f"http {status}", 7.0)


async def test_nobody_there_is_unknown() -> None:
    async with avatax_at(f"http://127.0.0.1:{unused_port()}") as avatax:
        assert isinstance(await avatax.list_recorded(0, 100), Unknown)


async def test_a_further_page_is_known_by_its_link() -> None:
    body = orjson.dumps({"value": [DOCUMENT], "@nextLink": "/api/v2/companies/DEFAULT/transactions?$skip=1"})
    async with saying(200, body) as peer, avatax_at(peer.url) as avatax:
        listed = await avatax.list_recorded(0, 1)

    assert isinstance(listed, Done)
    assert listed.value.has_more
    assert listed.value.documents[0].tax == Money("USD", 120)


@pytest.mark.parametrize(
    "change",
    [
        {"currencyCode": "XXZ"},
        {"currencyCode": None},
        {"totalTax": True},
        {"totalAmount": "15"},
        {"totalAmount": 1e30},
        {"code": 7},
        {"date": "yesterday"},
    ],
    ids=str,
)
async def test_a_document_that_makes_no_sense_makes_the_list_none(change: dict[str, object]) -> None:
    body = orjson.dumps({"value": [DOCUMENT, {**DOCUMENT, **change}]})
    async with saying(200, body) as peer, avatax_at(peer.url) as avatax:
        assert isinstance(await avatax.list_recorded(0, 100), Unknown)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"value": {}}', b'{"value": [1]}'])
async def test_an_answer_that_is_no_list_is_unknown(body: bytes) -> None:
    async with saying(200, body) as peer, avatax_at(peer.url) as avatax:
        assert isinstance(await avatax.list_recorded(0, 100), Unknown)
