"""`ordermesh tax …` against a recording server: what is asked, and how the answer is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2
from ordermesh.type.v1 import address_pb2, money_pb2

from cli.__main__ import cli
from kernel.errors import Reason, Refusal
from tests.fakes.backend import ORDER_ID, Backend, running_backend

EXAMPLE = Path(__file__).parents[2] / "examples" / "order.json"


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Backend]:
    async with running_backend() as backend:
        yield backend


@pytest.fixture
def backend(shared: Backend) -> Backend:
    shared.calls.clear()
    shared.answers.clear()
    return shared


async def told(backend: Backend, *arguments: str, given: str = "") -> Result:
    """Run a command beside the server, on an event loop of its own."""
    return await asyncio.to_thread(
        CliRunner().invoke, cli, ["tax", *arguments], env={"TAX_ADDR": backend.address}, input=given
    )


def usd(minor_units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="USD", minor_units=minor_units)


async def test_documents_are_listed_with_what_differs(backend: Backend) -> None:
    sale = tax_pb2.TaxDocument(
        code=ORDER_ID,
        order_id=ORDER_ID,
        kind=tax_pb2.TAX_DOCUMENT_KIND_SALE,
        state=tax_pb2.TAX_DOCUMENT_STATE_COMMITTED,
        total_tax=usd(325),
        difference=usd(-37),
    )
    backend.answers["ListTaxDocuments"] = tax_service_pb2.ListTaxDocumentsResponse(documents=[sale])

    done = await told(backend, "documents", "--differing", "--order", ORDER_ID, "--limit", "7")

    assert done.exit_code == 0, done.output
    assert backend.last.request == tax_service_pb2.ListTaxDocumentsRequest(
        order_id=ORDER_ID, differing=True, page_size=7
    )
    for words in (ORDER_ID, "SALE", "COMMITTED", "3.25 USD", "-0.37 USD", "the same"):
        assert words in done.stdout


async def test_as_many_documents_as_were_asked_for_are_read_page_by_page(backend: Backend) -> None:
    page = [tax_pb2.TaxDocument(code=str(number)) for number in range(200)]
    backend.answers["ListTaxDocuments"] = tax_service_pb2.ListTaxDocumentsResponse(
        documents=page, next_page_token="more"
    )

    done = await told(backend, "documents", "--limit", "400", "-o", "json")

    asked = [(call.request.page_size, call.request.page_token) for call in backend.calls]
    assert asked == [(200, ""), (200, "more")]
    assert len(json.loads(done.stdout)) == 400


async def test_no_documents_are_told_so(backend: Backend) -> None:
    assert (await told(backend, "documents")).stdout == "No documents.\n"


async def test_an_orders_address_is_shown_as_the_post_would_write_it(backend: Backend) -> None:
    remark = tax_pb2.AddressRemark(field="postal_code", message="was completed")
    backend.answers["ResolveAddress"] = tax_service_pb2.ResolveAddressResponse(
        valid=True, address=address_pb2.Address(line1="400 BROAD ST", postal_code="98109-4607"), remarks=[remark]
    )

    done = await told(backend, "resolve", "-f", str(EXAMPLE))

    assert done.exit_code == 0, done.output
    assert backend.last.request.address.line1 == "400 Broad St"
    assert done.stdout.split("\n") == [
        "It can be used as it is.",
        "postal_code: was completed",
        "400 BROAD ST",
        "98109-4607",
        "",
    ]


async def test_an_address_that_cannot_be_used_ends_with_1(backend: Backend) -> None:
    remark = tax_pb2.AddressRemark(message="is nowhere", error=True)
    backend.answers["ResolveAddress"] = tax_service_pb2.ResolveAddressResponse(remarks=[remark])

    done = await told(backend, "resolve", "-f", "-", given='{"line1": "Nowhere"}')

    assert done.exit_code == 1
    assert "It cannot be used.\naddress: is nowhere" in done.stdout


@pytest.mark.parametrize(
    ("given", "complaint"),
    [("[]", "must be a JSON object"), ("{", "is not valid JSON"), ('{"street": "x"}', "address.street")],
)
async def test_what_is_no_address_is_refused_before_anything_is_asked(
    backend: Backend, given: str, complaint: str
) -> None:
    done = await told(backend, "resolve", "-f", "-", given=given)

    assert (done.exit_code, backend.calls) == (1, [])
    assert complaint in done.stderr


async def test_a_refusal_is_told_with_its_reason(backend: Backend) -> None:
    backend.answers["ResolveAddress"] = Refusal(Reason.UNAVAILABLE, "AvaTax is away.")

    done = await told(backend, "resolve", "-f", str(EXAMPLE))

    assert (done.exit_code, "UNAVAILABLE: AvaTax is away." in done.stderr) == (3, True)
