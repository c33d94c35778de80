"""AvaTax away, slow, busy, broken or talking nonsense: never longer than its budget, and never taken for an answer."""

import asyncio
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chassis import deadline
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.app.ports import SaleRejected
from tests.fakes.http_peer import Conversation, HttpPeer, saying, silent
from tests.fakes.manual_clock import ManualClock
from tests.fakes.sandbox_world import sandbox_world
from tests.fakes.tax_samples import basis, order_id
from tests.fakes.tax_world import LICENSE_KEY, avatax_at
from tests.fakes.unused_ports import unused_port


@contextmanager
def caller_waiting(seconds: float) -> Iterator[None]:
    """Serve a call whose caller waits so long; tests share a context, so that it is ended here."""
    deadline.begin(seconds)
    try:
        yield
    finally:
        deadline.detach()


async def test_nobody_there_is_unknown() -> None:
    async with avatax_at(f"http://127.0.0.1:{unused_port()}") as avatax:
        assert isinstance(await avatax.quote(basis()), Unknown)


async def test_silence_ends_with_the_budget_and_opens_the_breaker() -> None:
    async with HttpPeer(silent) as peer, avatax_at(peer.url, quote_seconds=0.05) as avatax:
        outcomes = await asyncio.gather(*(avatax.quote(basis()) for _ in range(3)))
        further = await avatax.quote(basis())

    assert all(isinstance(outcome, Unknown) for outcome in outcomes)
    assert isinstance(further, Unknown)
    assert further.retry_after == pytest.approx(1.0)
    assert len(peer.requests) == 3


async def test_a_caller_in_a_hurry_gets_its_answer_in_time_and_says_nothing_about_avatax() -> None:
    async with HttpPeer(silent) as peer, avatax_at(peer.url, quote_seconds=30.0) as avatax:
        for _ in range(4):
            with caller_waiting(0.15):
                assert isinstance(await avatax.quote(basis()), Unknown)

    assert len(peer.requests) == 4


async def test_a_caller_with_no_time_left_does_not_bother_avatax() -> None:
    async with HttpPeer(silent) as peer, avatax_at(peer.url) as avatax:
        with caller_waiting(0.06):
            assert isinstance(await avatax.quote(basis()), Unknown)

    assert peer.connections == 0


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503])
async def test_every_trouble_of_avatax_is_unknown(status: int) -> None:
    async with saying(status, b'{"error":{"code":"Whatever"}}') as peer, avatax_at(peer.url) as avatax:
        assert await avatax.quote(basis()) == Unknown(f"http {status}")


async def test_the_wait_that_avatax_asks_for_is_handed_on_within_reason() -> None:
    async with saying(429, b"", "retry-after: 7") as peer, avatax_at(peer.url) as avatax:
        assert await avatax.quote(basis()) == Unknown("http 429", retry_after=7.0)
    async with saying(503, b"", "retry-after: 86400") as peer, avatax_at(peer.url) as avatax:
        assert await avatax.quote(basis()) == Unknown("http 503", retry_after=60.0)


async def test_wrong_credentials_are_an_error_in_the_log_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    async with saying(401, b'{"error":{"code":"AuthenticationException"}}') as peer, avatax_at(peer.url) as avatax:
        await avatax.quote(basis())

    (record,) = [record for record in caplog.records if record.msg == "avatax.misconfigured"]
    assert record.levelname == "ERROR"
    assert LICENSE_KEY not in str(vars(record))


async def test_an_answer_that_makes_no_sense_is_unknown_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with saying(201, b'{"currencyCode":"EUR"}') as peer, avatax_at(peer.url) as avatax:
        quoted = await avatax.quote(basis())
        recorded = await avatax.record(order_id(), basis())

    assert isinstance(quoted, Unknown)
    assert isinstance(recorded, Unknown)
    assert [record.msg for record in caplog.records] == ["avatax.malformed", "avatax.malformed"]


async def test_three_failures_in_a_row_spare_the_others_until_a_probe_succeeds(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path) as world, avatax_at(f"{world.url}/avatax", clock) as avatax:
        await world.fault("avatax", mode="error", status=503, times=3)
        for _ in range(3):
            assert await avatax.quote(basis()) == Unknown("http 503")

        assert await avatax.quote(basis()) == Unknown("AvaTax was away a moment ago", retry_after=1.0)
        clock.advance(1.0)
        assert isinstance(await avatax.quote(basis()), Done)
        assert isinstance(await avatax.quote(basis()), Done)


async def test_refusals_never_open_the_breaker() -> None:
    missing_line = b'{"error":{"code":"MissingLine"}}'
    async with saying(400, missing_line) as peer, avatax_at(peer.url) as avatax:
        for _ in range(5):
            assert await avatax.quote(basis()) == NotDone(SaleRejected("MissingLine"))


@pytest.mark.parametrize("mode", ["lost_answer", "late_execution"])
async def test_a_record_whose_answer_was_lost_is_found_and_not_made_twice(tmp_path: Path, mode: str) -> None:
    order = order_id()
    async with sandbox_world(tmp_path) as world, avatax_at(f"{world.url}/avatax") as avatax:
        more = {"delay_ms": 0} if mode == "late_execution" else {}
        await world.fault("avatax", mode=mode, times=1, **more)

        assert isinstance(await avatax.record(order, basis(1999)), Unknown)
        assert isinstance(await avatax.record(order, basis(1999)), Done)

        documents = (await world.ledger())["documents"]
    assert [(each["code"], each["status"], each["version"]) for each in documents] == [(order, "Committed", 1)]


async def test_a_document_that_was_voided_is_not_called_recorded() -> None:
    order = order_id()
    voided = b'{"error":{"code":"GetTaxError","details":[{"faultSubCode":"DocStatusError"}]}}'
    document = (
        f'{{"code":"{order}","type":"SalesInvoice","status":"Cancelled","currencyCode":"USD","totalAmount":19.99,'
        f'"totalTax":1.72,"date":"2026-11-23"}}'
    ).encode()

    async def script(conversation: Conversation) -> None:
        for status, body in ((400, voided), (200, document)):
            await conversation.request()
            await conversation.say(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await conversation.until_closed()

    async with HttpPeer(script) as peer, avatax_at(peer.url) as avatax:
        assert await avatax.record(order, basis(1999)) == NotDone(SaleRejected("DocumentDiffers"))

    assert peer.requests[1].startswith(f"GET /api/v2/companies/DEFAULT/transactions/{order}?documentType=".encode())


async def test_every_request_says_who_asks() -> None:
    async with saying(500) as peer, avatax_at(peer.url) as avatax:
        await avatax.quote(basis())

    lines = peer.requests[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    scheme, _, credentials = headers["authorization"].partition(" ")
    assert scheme == "Basic"
    assert b64decode(credentials).decode() == f"2000000000:{LICENSE_KEY}"
    assert len(headers["x-avalara-client"].split("; ")) == 5
    assert headers["content-type"] == "application/json"
