"""TaxService: wire → use case → wire."""

from dataclasses import replace

from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc

from chassis import caller
from chassis.layers import Context
from chassis.provider_watch import ProviderWatch
from chassis.telemetry import conventions, spans
from chassis.wire import address_from_wire, fingerprint, provider_health_to_wire
from kernel.request import Request
from tax_svc import wire
from tax_svc.app.cases import Cases


class TaxServicer(tax_service_pb2_grpc.TaxServiceServicer):
    """The RPCs of ordermesh.tax.v1.TaxService."""

    def __init__(self, cases: Cases, provider: ProviderWatch) -> None:
        self._cases = cases
        self._provider = provider

    async def GetTaxProvider(
        self, request: tax_service_pb2.GetTaxProviderRequest, context: Context
    ) -> tax_service_pb2.GetTaxProviderResponse:
        return tax_service_pb2.GetTaxProviderResponse(health=provider_health_to_wire(self._provider.health()))

    async def QuoteTax(
        self, request: tax_service_pb2.QuoteTaxRequest, context: Context
    ) -> tax_service_pb2.QuoteTaxResponse:
        quote = await self._cases.quote(wire.basis_from_wire(request.basis))
        _note(conventions.OUTCOME, quote.source.value.lower())
        return tax_service_pb2.QuoteTaxResponse(quote=wire.quote_to_wire(quote))

    async def CommitTax(
        self, request: tax_service_pb2.CommitTaxRequest, context: Context
    ) -> tax_service_pb2.CommitTaxResponse:
        _note(conventions.ORDER_ID, request.order_id)
        basis = wire.basis_from_wire(request.basis)
        charged_tax = wire.amount_from_wire(request.charged_tax, "charged_tax", basis.currency_code)
        document = await self._cases.commit(_key(request), request.order_id, basis, charged_tax)
        return tax_service_pb2.CommitTaxResponse(document=wire.document_to_wire(document))

    async def RefundTax(
        self, request: tax_service_pb2.RefundTaxRequest, context: Context
    ) -> tax_service_pb2.RefundTaxResponse:
        _note(conventions.ORDER_ID, request.order_id)
        giveback = wire.giveback_from_wire(request, caller.current().key_owner)
        document = await self._cases.refund(_key(request), giveback)
        return tax_service_pb2.RefundTaxResponse(document=wire.document_to_wire(document))

    async def VoidTax(
        self, request: tax_service_pb2.VoidTaxRequest, context: Context
    ) -> tax_service_pb2.VoidTaxResponse:
        _note(conventions.ORDER_ID, request.order_id)
        document = await self._cases.void(_key(request), request.order_id)
        return tax_service_pb2.VoidTaxResponse(document=None if document is None else wire.document_to_wire(document))

    async def ResolveAddress(
        self, request: tax_service_pb2.ResolveAddressRequest, context: Context
    ) -> tax_service_pb2.ResolveAddressResponse:
        return wire.resolution_to_wire(await self._cases.resolve(address_from_wire(request.address)))

    async def ListTaxDocuments(
        self, request: tax_service_pb2.ListTaxDocumentsRequest, context: Context
    ) -> tax_service_pb2.ListTaxDocumentsResponse:
        asked = wire.listed_from_wire(request)
        found = await self._cases.list_documents(replace(asked, limit=asked.limit + 1))
        shown = found[: asked.limit]
        return tax_service_pb2.ListTaxDocumentsResponse(
            documents=[wire.document_to_wire(each) for each in shown],
            next_page_token=wire.place_to_wire(request, shown[-1]) if len(found) > asked.limit else "",
        )

    async def ListProviderDocuments(
        self, request: tax_service_pb2.ListProviderDocumentsRequest, context: Context
    ) -> tax_service_pb2.ListProviderDocumentsResponse:
        skip = wire.skip_from_wire(request.page_token)
        page = await self._cases.list_recorded(skip, wire.page_size_from_wire(request))
        return tax_service_pb2.ListProviderDocumentsResponse(
            documents=[wire.recorded_to_wire(each) for each in page.documents],
            next_page_token=wire.skip_to_wire(skip + len(page.documents)) if page.has_more else "",
        )


def _key(
    request: tax_service_pb2.CommitTaxRequest | tax_service_pb2.RefundTaxRequest | tax_service_pb2.VoidTaxRequest,
) -> Request:
    return Request(caller.current().key_owner, request.request_id, fingerprint(request))


def _note(name: str, value: str) -> None:
    """State a fact on the span of the call."""
    span = spans.current()
    if span is not None:
        span.set(name, value)
