"""tax_svc through its stubs."""

from ordermesh.tax.v1 import tax_pb2, tax_service_pb2, tax_service_pb2_grpc

from chassis.wire import address_to_wire, money_from_wire, money_to_wire
from kernel.errors import Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.calls import outcome, with_our_fields
from order_svc.domain.draft import Draft, ItemKind
from order_svc.domain.order import Order
from order_svc.domain.refund import Refund
from order_svc.domain.tax import Jurisdiction, Recorded, Tax, TaxLine, TaxSource

# tax_svc answers by fallback when AvaTax is slower than its own budget of some seconds; this is beyond it.
_QUOTE_SECONDS = 6.0
_COMMIT_SECONDS = 10.0

_SOURCES = {
    tax_pb2.TAX_SOURCE_AVATAX: TaxSource.AVATAX,
    tax_pb2.TAX_SOURCE_FALLBACK: TaxSource.FALLBACK,
}

# AvaTax's code for shipping by a common carrier; general goods are tax_svc's own default.
_USUAL_CODES = {ItemKind.SHIPPING: "FR"}


class GrpcTaxes:
    """The port `Taxes`."""

    def __init__(self, stub: "tax_service_pb2_grpc.TaxServiceAsyncStub") -> None:
        self._stub = stub

    async def quote(self, draft: Draft) -> Done[Tax] | NotDone[Refusal] | Unknown:
        """Work out the tax; refusals name the fields of the draft."""
        request = tax_service_pb2.QuoteTaxRequest(basis=_basis(draft))
        quoted = await outcome(self._stub.QuoteTax(request, timeout=_QUOTE_SECONDS), lambda answer: _tax(answer.quote))
        return NotDone(with_our_fields(quoted.reason, _ours)) if isinstance(quoted, NotDone) else quoted

    async def commit(self, order: Order) -> Done[Recorded] | NotDone[Refusal] | Unknown:
        """Record the sale."""
        assert order.tax is not None, "only paid orders are committed"
        request = tax_service_pb2.CommitTaxRequest(
            request_id=f"{order.order_id}:commit",
            order_id=order.order_id,
            basis=_basis(order.draft),
            charged_tax=money_to_wire(order.tax.amount),
        )
        call = self._stub.CommitTax(request, timeout=_COMMIT_SECONDS)
        return await outcome(call, lambda answer: _recorded(answer.document, order.draft.currency_code))

    async def refund(self, order: Order, refund: Refund) -> Done[Recorded] | NotDone[Refusal] | Unknown:
        """Record what was given back, or let go, of a recorded sale."""
        request = tax_service_pb2.RefundTaxRequest(
            request_id=f"{order.order_id}:refund:{refund.number}",
            order_id=order.order_id,
            basis=_basis(order.draft),
            lines=[
                tax_pb2.TaxRefundLine(
                    line_id=share.line_id, amount=money_to_wire(share.net), tax=money_to_wire(share.tax)
                )
                for share in refund.shares
            ],
        )
        call = self._stub.RefundTax(request, timeout=_COMMIT_SECONDS)
        return await outcome(call, lambda answer: _recorded(answer.document, order.draft.currency_code))


def _basis(draft: Draft) -> tax_pb2.TaxBasis:
    return tax_pb2.TaxBasis(
        customer_id=draft.customer.customer_id,
        currency_code=draft.currency_code,
        lines=[
            tax_pb2.TaxBasisLine(
                line_id=str(position),
                sku=item.sku,
                description=item.description,
                quantity=item.quantity,
                amount=money_to_wire(item.amount),
                tax_code=item.tax_code or _USUAL_CODES.get(item.kind, ""),
            )
            for position, item in enumerate(draft.items, start=1)
        ],
        ship_to=address_to_wire(draft.ship_to),
        prices_include_tax=draft.prices_include_tax,
        exemption_number=draft.customer.exemption_number,
        entity_use_code=draft.customer.entity_use_code,
        business_id=draft.customer.business_id,
    )


def _recorded(document: tax_pb2.TaxDocument, currency: str) -> Recorded:
    if not document.HasField("difference"):
        return Recorded(document.code, Money.zero(currency))
    return Recorded(document.code, money_from_wire(document.difference, "document.difference"))


def _tax(quote: tax_pb2.TaxQuote) -> Tax:
    return Tax(
        amount=money_from_wire(quote.total_tax, "quote.total_tax"),
        source=_SOURCES[quote.source],
        lines=tuple(_line(line) for line in quote.lines),
    )


def _line(line: tax_pb2.TaxLine) -> TaxLine:
    return TaxLine(
        line_id=line.line_id,
        tax=money_from_wire(line.tax, "tax"),
        jurisdictions=tuple(
            Jurisdiction(each.name, each.kind, each.rate, money_from_wire(each.tax, "tax"))
            for each in line.jurisdictions
        ),
    )


def _ours(field: str) -> str:
    """Return the name that a field of the tax basis has in the order's own request."""
    return field.removeprefix("basis.").replace("lines[", "items[").replace("].amount", "].unit_price")
