"""Returns and voids whose answers are lost, late or strange: nothing is made twice or called done too early."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.adapters.avatax import AvaTax
from tax_svc.app.ports import DocumentLocked, SaleRejected
from tests.fakes.http_peer import Conversation, HttpPeer, saying
from tests.fakes.sandbox_world import sandbox_world
from tests.fakes.tax_samples import SAN_FRANCISCO, basis, giveback, order_id
from tests.fakes.tax_world import avatax_at

SOLD_ON = date(2026, 11, 20)


@asynccontextmanager
async def answering(answers: Sequence[tuple[int, bytes]]) -> AsyncIterator[tuple[HttpPeer, AvaTax]]:
    """Yield a server that gives these answers, one after the other, and the adapter that asks it."""

    async def script(conversation: Conversation) -> None:
        for status, body in answers:
            await conversation.request()
            await conversation.say(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await conversation.until_closed()

    async with HttpPeer(script) as peer, avatax_at(peer.url) as avatax:
        yield peer, avatax


def refusal(code: str, message: str = "No.") -> bytes:
    return f'{{"error":{{"code":"{code}","message":"{message}","details":[{{"code":"{code}"}}]}}}}'.encode()


def document(code: str, kind: str, status: str, amount: float, tax: float) -> bytes:
    return (
        f'{{"code":"{code}","type":"{kind}","status":"{status}","currencyCode":"USD","date":"2026-11-23",'
        f'"totalAmount":{amount},"totalTax":{tax}}}'
    ).encode()


@pytest.mark.parametrize("mode", ["lost_answer", "late_execution"])
async def test_a_return_whose_answer_was_lost_is_found_and_not_made_twice(tmp_path: Path, mode: str) -> None:
    order, sold = order_id(), basis(1999)
    back = giveback(f"{order}-r1", order, sold, (999, 80))
    async with sandbox_world(tmp_path) as world, avatax_at(f"{world.url}/avatax") as avatax:
        await avatax.record(order, sold)
        await world.fault("avatax", mode=mode, times=1, **({"delay_ms": 0} if mode == "late_execution" else {}))

        assert isinstance(await avatax.give_back(back, SOLD_ON), Unknown)
        again = await avatax.give_back(back, SOLD_ON)

        documents = (await world.ledger(order))["documents"]
    assert isinstance(again, Done)
    assert again.value.tax == Money("USD", -80)
    assert [(each["code"], each["version"], each["total_tax"]) for each in documents] == [
        (order, 1, 1.72),
        (f"{order}-r1", 1, -0.8),
    ]


@pytest.mark.parametrize("mode", ["lost_answer", "late_execution"])
async def test_a_void_whose_answer_was_lost_is_found_done(tmp_path: Path, mode: str) -> None:
    order = order_id()
    async with sandbox_world(tmp_path) as world, avatax_at(f"{world.url}/avatax") as avatax:
        recorded = await avatax.record(order, basis(1999))
        await world.fault("avatax", mode=mode, times=1, **({"delay_ms": 0} if mode == "late_execution" else {}))

        assert isinstance(await avatax.void(order), Unknown)
        assert await avatax.void(order) == recorded


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_trouble_is_unknown_to_every_command(status: int) -> None:
    order, sold = order_id(), basis(1999)
    async with saying(status, refusal("Whatever")) as peer, avatax_at(peer.url) as avatax:
        assert isinstance(await avatax.give_back(giveback("code", order, sold, (1, 0)), SOLD_ON), Unknown)
        assert isinstance(await avatax.void(order), Unknown)
        assert isinstance(await avatax.resolve(SAN_FRANCISCO), Unknown)


async def test_a_reported_document_is_locked() -> None:
    async with answering([(400, refusal("CannotModifyLockedTransaction"))]) as (peer, avatax):
        assert await avatax.void("order-1") == NotDone(DocumentLocked())

    assert peer.requests[0].startswith(
        b"POST /api/v2/companies/DEFAULT/transactions/order-1/void?documentType=SalesInvoice"
    )
    assert peer.requests[0].endswith(b'{"code":"DocVoided"}')


async def test_a_missing_company_is_not_taken_for_a_missing_document() -> None:
    missing = (404, refusal("EntityNotFoundError", "Company not found."))
    async with answering([missing]) as (_, avatax):
        assert await avatax.void("order-1") == Unknown("http 404")


async def test_a_void_that_left_the_document_as_it_was_is_not_called_done() -> None:
    async with answering([(200, document("order-1", "SalesInvoice", "Committed", 19.99, 1.72))]) as (_, avatax):
        assert isinstance(await avatax.void("order-1"), Unknown)


async def test_a_return_that_is_there_is_read_and_has_to_be_about_the_same() -> None:
    back = giveback("the-code", "order-1", basis(1999), (999, 80))
    there = (400, b'{"error":{"code":"GetTaxError","details":[{"faultSubCode":"DocStatusError"}]}}')
    same = (200, document("the-code", "ReturnInvoice", "Committed", -9.99, -0.79))
    other = (200, document("the-code", "ReturnInvoice", "Committed", -9.98, -0.8))
    gone = (404, refusal("EntityNotFoundError", "Transaction not found."))

    async with answering([there, same, there, other, there, gone]) as (peer, avatax):
        first = await avatax.give_back(back, SOLD_ON)
        second = await avatax.give_back(back, SOLD_ON)
        third = await avatax.give_back(back, SOLD_ON)

    assert isinstance(first, Done)
    assert first.value.tax == Money("USD", -79)
    assert second == NotDone(SaleRejected("DocumentDiffers"))
    assert isinstance(third, Unknown)
    assert peer.requests[1].startswith(
        b"GET /api/v2/companies/DEFAULT/transactions/the-code?documentType=ReturnInvoice"
    )


async def test_an_address_is_never_part_of_a_path_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    async with answering([(200, b'{"messages":7}')]) as (peer, avatax):
        assert isinstance(await avatax.resolve(SAN_FRANCISCO), Unknown)

    assert peer.requests[0].startswith(b"POST /api/v2/addresses/resolve HTTP/1.1\r\n")
    assert [record.msg for record in caplog.records] == ["avatax.malformed"]
    assert "Market" not in str([vars(record) for record in caplog.records])
