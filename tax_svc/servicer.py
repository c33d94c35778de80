"""TaxService: wire → use case → wire."""

from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc

from chassis import caller
from chassis.layers import Context
from chassis.telemetry import conventions, spans
from chassis.wire import fingerprint
from kernel.errors import Reason, Refusal
from kernel.request import Request
from tax_svc import wire
from tax_svc.app import CommitTax, ListRecorded, QuoteTax


class TaxServicer(tax_service_pb2_grpc.TaxServiceServicer):
    """The RPCs of ordermesh.tax.v1.TaxService."""

    def __init__(self, quote_tax: QuoteTax, commit_tax: CommitTax, list_recorded: ListRecorded) -> None:
        self._quote_tax = quote_tax
        self._commit_tax = commit_tax
        self._list_recorded = list_recorded

    async def QuoteTax(
        self, request: tax_service_pb2.QuoteTaxRequest, context: Context
    ) -> tax_service_pb2.QuoteTaxResponse:
        quote = await self._quote_tax(wire.basis_from_wire(request.basis))
        _note(conventions.OUTCOME, quote.source.value.lower())
        return tax_service_pb2.QuoteTaxResponse(quote=wire.quote_to_wire(quote))

    async def CommitTax(
        self, request: tax_service_pb2.CommitTaxRequest, context: Context
    ) -> tax_service_pb2.CommitTaxResponse:
        _note(conventions.ORDER_ID, request.order_id)
        basis = wire.basis_from_wire(request.basis)
        charged_tax = wire.amount_from_wire(request.charged_tax, "charged_tax", basis.currency_code)
        key = Request(caller.current(), request.request_id, fingerprint(request))
        document = await self._commit_tax(key, request.order_id, basis, charged_tax)
        return tax_service_pb2.CommitTaxResponse(document=wire.document_to_wire(document))

    async def RefundTax(
        self, request: tax_service_pb2.RefundTaxRequest, context: Context
    ) -> tax_service_pb2.RefundTaxResponse:
        raise _not_built("RefundTax")

    async def VoidTax(
        self, request: tax_service_pb2.VoidTaxRequest, context: Context
    ) -> tax_service_pb2.VoidTaxResponse:
        raise _not_built("VoidTax")

    async def ResolveAddress(
        self, request: tax_service_pb2.ResolveAddressRequest, context: Context
    ) -> tax_service_pb2.ResolveAddressResponse:
        raise _not_built("ResolveAddress")

    async def ListTaxDocuments(
        self, request: tax_service_pb2.ListTaxDocumentsRequest, context: Context
    ) -> tax_service_pb2.ListTaxDocumentsResponse:
        raise _not_built("ListTaxDocuments")

    async def ListProviderDocuments(
        self, request: tax_service_pb2.ListProviderDocumentsRequest, context: Context
    ) -> tax_service_pb2.ListProviderDocumentsResponse:
        skip = wire.skip_from_wire(request.page_token)
        page = await self._list_recorded(skip, wire.page_size_from_wire(request))
        return tax_service_pb2.ListProviderDocumentsResponse(
            documents=[wire.recorded_to_wire(each) for each in page.documents],
            next_page_token=wire.skip_to_wire(skip + len(page.documents)) if page.has_more else "",
        )


def _note(name: str, value: str) -> None:
    """State a fact on the span of the call."""
    span = spans.current()
    if span is not None:
        span.set(name, value)


def _not_built(name: str) -> Refusal:
    return Refusal(Reason.NOT_IMPLEMENTED, f"{name} is in the contract and not built yet.")
