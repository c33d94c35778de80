"""The tax service as a whole: over gRPC, on the sandbox, with its tables in a file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2, tax_service_pb2_grpc

from chassis.telemetry.setup import SPANS_FILE
from chassis.telemetry.store import SpanStore
from kernel.errors import Reason
from tax_svc.__main__ import running
from tax_svc.config import TaxConfig
from tests.fakes.sandbox_world import World
from tests.fakes.service_over_grpc import called, refused
from tests.fakes.tax_samples import basis_message, commit_message, money_message, order_id, refund_message


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, its client and its outside world."""

    stub: Any
    world: World

    async def quote(self, basis: tax_pb2.TaxBasis) -> tax_pb2.TaxQuote:
        answer = await self.stub.QuoteTax(tax_service_pb2.QuoteTaxRequest(basis=basis))
        quote: tax_pb2.TaxQuote = answer.quote
        return quote

    async def commit(self, request: tax_service_pb2.CommitTaxRequest) -> tax_pb2.TaxDocument:
        document: tax_pb2.TaxDocument = (await self.stub.CommitTax(request)).document
        return document

    async def refund(self, request: tax_service_pb2.RefundTaxRequest) -> tax_pb2.TaxDocument:
        document: tax_pb2.TaxDocument = (await self.stub.RefundTax(request)).document
        return document

    async def void(self, request_id: str, order: str) -> tax_pb2.TaxDocument:
        answer = await self.stub.VoidTax(tax_service_pb2.VoidTaxRequest(request_id=request_id, order_id=order))
        document: tax_pb2.TaxDocument = answer.document
        return document

    async def documents(
        self, order: str = "", *, differing: bool = False, size: int = 0, token: str = ""
    ) -> tax_service_pb2.ListTaxDocumentsResponse:
        request = tax_service_pb2.ListTaxDocumentsRequest(
            order_id=order, differing=differing, page_size=size, page_token=token
        )
        answer: tax_service_pb2.ListTaxDocumentsResponse = await self.stub.ListTaxDocuments(request)
        return answer


@asynccontextmanager
async def tax_service(world: World, data_dir: Path, **values: str) -> AsyncIterator[Service]:
    config = TaxConfig.from_env(
        {
            "ORDERMESH_DATA_DIR": str(data_dir),
            "TAX_ADDR": "127.0.0.1:0",
            "SANDBOX_ADDR": world.url.removeprefix("http://"),
            **values,
        }
    )
    async with called("tax", data_dir, partial(running, config)) as channel:
        yield Service(tax_service_pb2_grpc.TaxServiceStub(channel), world)


@pytest.fixture
async def service(world: World, tmp_path: Path) -> AsyncIterator[Service]:
    async with tax_service(world, tmp_path) as service:
        yield service


async def test_a_quote_comes_from_avatax_with_its_authorities_and_stores_nothing(service: Service) -> None:
    quote = await service.quote(basis_message(1999, 501))

    assert quote.source == tax_pb2.TAX_SOURCE_AVATAX
    assert quote.total_tax.minor_units == sum(line.tax.minor_units for line in quote.lines) > 0
    assert quote.lines[0].jurisdictions[0].name == "CALIFORNIA"
    assert (await service.world.ledger())["documents"] == []


async def test_an_outage_is_bridged_at_eight_percent_and_said(service: Service) -> None:
    await service.world.fault("avatax", mode="outage")

    quote = await service.quote(basis_message(1999, 501))

    assert quote.source == tax_pb2.TAX_SOURCE_FALLBACK
    assert quote.total_tax == money_message(200)
    assert [line.line_id for line in quote.lines] == ["line-1", "line-2"]


async def test_the_trace_of_a_quote_says_where_it_came_from_and_nothing_of_the_buyer(
    world: World, tmp_path: Path
) -> None:
    await world.fault("avatax", mode="outage")
    async with tax_service(world, tmp_path) as service:
        await service.stub.QuoteTax(
            tax_service_pb2.QuoteTaxRequest(basis=basis_message(1999)),
            metadata=(("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"),),
        )

    store = SpanStore(tmp_path / SPANS_FILE)
    try:
        client, server = sorted(store.trace("a" * 32), key=lambda span: span.kind)
    finally:
        store.close()
    assert (client.name, client.parent_id) == ("POST create_sales_order", server.span_id)
    assert server.attributes["ordermesh.outcome"] == "fallback"
    assert "Market St" not in str((client, server))


async def test_the_trace_of_an_address_says_nothing_of_it(world: World, tmp_path: Path) -> None:
    async with tax_service(world, tmp_path) as service:
        for postal_code in ("94105", "19147"):
            await service.stub.ResolveAddress(
                tax_service_pb2.ResolveAddressRequest(address=basis_message(postal_code=postal_code).ship_to),
                metadata=(("traceparent", f"00-{'c' * 32}-{'d' * 16}-01"),),
            )

    store = SpanStore(tmp_path / SPANS_FILE)
    try:
        spans = store.trace("c" * 32)
    finally:
        store.close()
    assert [span.name for span in spans].count("POST resolve_address") == 2
    assert not any(part in str(spans) for part in ("Market St", "94105", "19147", "San Francisco"))


async def test_the_rate_of_an_outage_is_the_regions_own(world: World, tmp_path: Path) -> None:
    await world.fault("avatax", mode="outage")
    async with tax_service(world, tmp_path, TAX_FALLBACK_RATES="DE=0.19", TAX_FALLBACK_RATE="0.05") as service:
        german = await service.quote(basis_message(1000, currency_code="EUR", region_code="DE", postal_code="10117"))
        other = await service.quote(basis_message(1000))

    assert (german.total_tax.minor_units, other.total_tax.minor_units) == (190, 50)


async def test_a_bad_address_is_refused_by_field_and_not_taxed_by_guess(service: Service) -> None:
    refusal = await refused(service.quote(basis_message(1999, postal_code="00000")))

    assert refusal.reason is Reason.ADDRESS_INVALID
    assert [each.field for each in refusal.fields] == ["basis.ship_to.postal_code"]


async def test_a_rule_of_the_contract_is_checked_by_field(service: Service) -> None:
    refusal = await refused(service.quote(tax_pb2.TaxBasis(customer_id="c", currency_code="USD")))

    assert refusal.reason is Reason.VALIDATION_FAILED
    assert {each.field for each in refusal.fields} >= {"basis.lines", "basis.ship_to"}


async def test_a_sale_is_recorded_once_under_the_orders_id(service: Service) -> None:
    order = order_id()

    first = await service.commit(commit_message("key-1", order, 160))
    again = await service.commit(commit_message("key-1", order, 160))

    assert first == again
    assert (first.code, first.state) == (order, tax_pb2.TAX_DOCUMENT_STATE_COMMITTED)
    assert (first.total_tax, first.difference) == (money_message(172), money_message(12))
    documents = (await service.world.ledger())["documents"]
    assert [(each["code"], each["type"], each["status"]) for each in documents] == [
        (order, "SalesInvoice", "Committed")
    ]


async def test_a_key_used_for_another_request_is_refused(service: Service) -> None:
    await service.commit(commit_message("key-1", order_id(), 160))

    refusal = await refused(service.commit(commit_message("key-1", order_id(), 160)))

    assert refusal.reason is Reason.REQUEST_ID_REUSED
    assert len((await service.world.ledger())["documents"]) == 1


async def test_while_avatax_is_away_nothing_is_called_recorded(service: Service) -> None:
    order = order_id()
    await service.world.fault("avatax", mode="outage")
    refusal = await refused(service.commit(commit_message("key-1", order)))
    await service.world.http.delete("/faults")

    assert refusal.reason is Reason.UNAVAILABLE
    assert refusal.retry_after is not None
    assert (await service.commit(commit_message("key-1", order))).code == order


async def test_what_was_recorded_is_known_after_a_restart(world: World, tmp_path: Path) -> None:
    order = order_id()
    async with tax_service(world, tmp_path) as service:
        first = await service.commit(commit_message("key-1", order))
    await world.fault("avatax", mode="outage")

    async with tax_service(world, tmp_path) as service:
        assert await service.commit(commit_message("key-1", order)) == first


async def test_many_of_one_command_at_once_make_one_document(service: Service) -> None:
    order = order_id()

    found = await asyncio.gather(*(service.commit(commit_message("key-1", order)) for _ in range(20)))

    assert all(document == found[0] for document in found)
    assert len((await service.world.ledger())["documents"]) == 1


@pytest.mark.postgres
async def test_it_runs_on_postgresql_too(world: World, tmp_path: Path, postgres_url: str) -> None:
    order = order_id()
    async with tax_service(world, tmp_path, ORDERMESH_DATABASE_URL=postgres_url) as service:
        first = await service.commit(commit_message("key-1", order))

        assert await service.commit(commit_message("key-1", order)) == first


async def test_a_refund_is_recorded_once_to_the_cent_beside_the_sale(service: Service) -> None:
    order = order_id()
    await service.commit(commit_message("key-1", order, 160))

    first = await service.refund(refund_message(f"{order}:refund:1", order, (999, 80)))
    again = await service.refund(refund_message(f"{order}:refund:1", order, (999, 80)))

    assert first == again
    assert (first.code, first.order_id, first.kind) == (f"{order}-r1", order, tax_pb2.TAX_DOCUMENT_KIND_RETURN)
    assert (first.total_tax, first.difference) == (money_message(-80), money_message(0))
    documents = (await service.world.ledger(order))["documents"]
    assert [(each["code"], each["type"], each["status"], each["total_tax"]) for each in documents] == [
        (order, "SalesInvoice", "Committed", 1.72),
        (f"{order}-r1", "ReturnInvoice", "Committed", -0.8),
    ]


async def test_a_refund_waits_for_the_sale(service: Service) -> None:
    order = order_id()
    refusal = await refused(service.refund(refund_message("key-1", order, (999, 80))))

    assert (refusal.reason, "not recorded yet" in refusal.message) == (Reason.UNAVAILABLE, True)
    assert refusal.retry_after

    await service.commit(commit_message("key-2", order, 172))
    assert (await service.refund(refund_message("key-1", order, (999, 80)))).total_tax == money_message(-80)


async def test_while_avatax_is_away_no_refund_is_called_recorded(service: Service) -> None:
    order = order_id()
    await service.commit(commit_message("key-1", order))
    await service.world.fault("avatax", mode="outage")
    refusal = await refused(service.refund(refund_message("key-2", order, (999, 80))))
    await service.world.http.delete("/faults")

    assert refusal.reason is Reason.UNAVAILABLE
    assert len((await service.world.ledger(order))["documents"]) == 1


async def test_a_void_takes_the_sale_back_once_and_nothing_is_recorded_after_it(service: Service) -> None:
    order = order_id()
    await service.commit(commit_message("key-1", order, 160))

    first = await service.void("key-2", order)
    again = await service.void("key-3", order)

    assert (first.code, first.state) == (order, tax_pb2.TAX_DOCUMENT_STATE_VOIDED)
    assert again == first
    assert [each["status"] for each in (await service.world.ledger(order))["documents"]] == ["Cancelled"]
    for call in (
        service.commit(commit_message("key-4", order, 160)),
        service.refund(refund_message("key-5", order, (999, 80))),
    ):
        assert (await refused(call)).reason is Reason.ILLEGAL_STATE


async def test_a_sale_that_was_reported_is_not_voided(service: Service) -> None:
    order = order_id()
    await service.commit(commit_message("key-1", order))
    await service.world.http.post(f"/avatax/_sandbox/companies/DEFAULT/transactions/{order}/lock")

    refusal = await refused(service.void("key-2", order))

    assert (refusal.reason, refusal.metadata["code"]) == (Reason.PROVIDER_REFUSED, "DocumentLocked")
    assert (await service.documents(order)).documents[0].state == tax_pb2.TAX_DOCUMENT_STATE_COMMITTED


async def test_nothing_at_all_counts_as_voided(service: Service) -> None:
    answer = await service.stub.VoidTax(tax_service_pb2.VoidTaxRequest(request_id="key-1", order_id=order_id()))

    assert not answer.HasField("document")


async def test_an_address_is_looked_at_and_its_part_named(service: Service) -> None:
    asked = basis_message(postal_code="19147").ship_to
    answer = await service.stub.ResolveAddress(tax_service_pb2.ResolveAddressRequest(address=asked))

    assert (answer.valid, answer.HasField("address")) == (False, False)
    assert [(remark.field, remark.error) for remark in answer.remarks] == [("postal_code", True)]


async def test_a_good_address_comes_back_as_the_post_writes_it(service: Service) -> None:
    asked = basis_message(administrative_area="California").ship_to
    answer = await service.stub.ResolveAddress(tax_service_pb2.ResolveAddressRequest(address=asked))

    assert answer.valid
    assert answer.address.administrative_area == "CA"
    assert [(remark.field, remark.error) for remark in answer.remarks] == [("administrative_area", False)]


async def test_while_avatax_is_away_nobody_looks_at_addresses(service: Service) -> None:
    await service.world.fault("avatax", mode="outage")
    request = tax_service_pb2.ResolveAddressRequest(address=basis_message().ship_to)

    assert (await refused(service.stub.ResolveAddress(request))).reason is Reason.UNAVAILABLE


async def test_our_documents_are_listed_newest_first_page_by_page(service: Service) -> None:
    orders = [order_id() for _ in range(3)]
    for order, charged in zip(orders, (172, 160, 172), strict=True):
        await service.commit(commit_message(f"key-{order}", order, charged))
    await service.refund(refund_message("refund", orders[0], (999, 80)))

    first = await service.documents(size=3)
    rest = await service.documents(size=3, token=first.next_page_token)
    listed = [*first.documents, *rest.documents]

    assert rest.next_page_token == ""
    assert [each.order_id for each in listed] == [orders[0], orders[2], orders[1], orders[0]]
    assert {each.kind for each in listed[1:]} == {tax_pb2.TAX_DOCUMENT_KIND_SALE}
    differing = (await service.documents(differing=True)).documents
    assert [(each.code, each.difference) for each in differing] == [(orders[1], money_message(12))]
    about_one = (await service.documents(orders[0])).documents
    assert [each.kind for each in about_one] == [
        tax_pb2.TAX_DOCUMENT_KIND_RETURN,
        tax_pb2.TAX_DOCUMENT_KIND_SALE,
    ]
    refusal = await refused(service.documents(differing=True, token=first.next_page_token))
    assert [each.field for each in refusal.fields] == ["page_token"]


async def test_a_basis_that_was_asked_about_minutes_ago_is_answered_from_memory(service: Service) -> None:
    first = await service.quote(basis_message(1999))
    await service.world.fault("avatax", mode="outage")

    assert await service.quote(basis_message(1999)) == first
    assert (await service.quote(basis_message(2000))).source == tax_pb2.TAX_SOURCE_FALLBACK


async def test_where_no_estimate_is_allowed_the_order_is_refused_while_avatax_is_away(
    world: World, tmp_path: Path
) -> None:
    async with tax_service(world, tmp_path, TAX_FALLBACK_POLICY="US-CA=refuse,*=allow") as service:
        await world.fault("avatax", mode="outage")

        refusal = await refused(service.quote(basis_message(1999)))
        elsewhere = await service.quote(basis_message(1999, administrative_area="NV", postal_code="89501"))

    assert refusal.reason is Reason.TAX_UNAVAILABLE
    assert elsewhere.source == tax_pb2.TAX_SOURCE_FALLBACK


async def test_what_avatax_recorded_is_listed_page_by_page(service: Service) -> None:
    orders = [order_id() for _ in range(3)]
    committed = [await service.commit(commit_message(f"key-{order}", order)) for order in orders]

    async def page(token: str) -> tax_service_pb2.ListProviderDocumentsResponse:
        request = tax_service_pb2.ListProviderDocumentsRequest(page_size=2, page_token=token)
        answer: tax_service_pb2.ListProviderDocumentsResponse = await service.stub.ListProviderDocuments(request)
        return answer

    first = await page("")
    rest = await page(first.next_page_token)

    found = [*first.documents, *rest.documents]
    assert rest.next_page_token == ""
    assert [document.code for document in found] == orders
    assert [document.tax for document in found] == [document.total_tax for document in committed]
    assert {(document.kind, document.status) for document in found} == {("SalesInvoice", "Committed")}


async def test_the_list_is_unavailable_while_avatax_is_away(service: Service) -> None:
    await service.world.fault("avatax", mode="outage")

    refusal = await refused(service.stub.ListProviderDocuments(tax_service_pb2.ListProviderDocumentsRequest()))

    assert (refusal.reason, refusal.metadata) == (Reason.UNAVAILABLE, {"provider": "avatax"})
    assert refusal.retry_after


@pytest.mark.parametrize("status", [401, 403])
async def test_the_list_is_refused_where_avatax_refuses_it(service: Service, status: int) -> None:
    await service.world.fault("avatax", mode="error", status=status)

    refusal = await refused(service.stub.ListProviderDocuments(tax_service_pb2.ListProviderDocumentsRequest()))

    assert refusal.reason is Reason.PROVIDER_REFUSED
    assert "AvaTax refuses to list its documents" in refusal.message
