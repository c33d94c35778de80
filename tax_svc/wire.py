"""ordermesh.tax.v1 ⇄ domain. Total functions: what the rules of the protos cannot state is refused by field."""

from ordermesh.tax.v1 import tax_pb2
from ordermesh.type.v1 import money_pb2

from chassis import wire
from kernel.errors import Refusal
from kernel.money import Money
from tax_svc.domain import Basis, BasisLine, Document, DocumentState, Jurisdiction, Quote, Source, TaxLine

_SOURCES = {
    Source.AVATAX: tax_pb2.TAX_SOURCE_AVATAX,
    Source.FALLBACK: tax_pb2.TAX_SOURCE_FALLBACK,
}
_STATES = {
    DocumentState.COMMITTED: tax_pb2.TAX_DOCUMENT_STATE_COMMITTED,
    DocumentState.VOIDED: tax_pb2.TAX_DOCUMENT_STATE_VOIDED,
}


def basis_from_wire(message: tax_pb2.TaxBasis) -> Basis:
    """Return the basis.

    Raises:
        Refusal: An unknown currency, two currencies, a negative amount or a line id twice; the field is named.
    """
    currency_code = wire.currency_from_wire(message.currency_code, "basis.currency_code")
    seen: set[str] = set()
    lines = []
    for place, line in enumerate(message.lines):
        path = f"basis.lines[{place}]"
        if line.line_id in seen:
            raise Refusal.of_field(f"{path}.line_id", "was given to an earlier line; each line needs its own")
        seen.add(line.line_id)
        lines.append(
            BasisLine(
                line_id=line.line_id,
                sku=line.sku,
                description=line.description,
                quantity=line.quantity,
                amount=amount_from_wire(line.amount, f"{path}.amount", currency_code),
                tax_code=line.tax_code,
            )
        )
    return Basis(message.customer_id, currency_code, tuple(lines), wire.address_from_wire(message.ship_to))


def amount_from_wire(message: money_pb2.Money, field: str, currency_code: str) -> Money:
    """Return an amount that may not be negative and has to be in the basis's currency.

    Raises:
        Refusal: It is or is not; `field` is named.
    """
    amount = wire.money_from_wire(message, field)
    if amount.currency_code != currency_code:
        raise Refusal.of_field(
            f"{field}.currency_code", f"is {amount.currency_code}, but basis.currency_code is {currency_code}"
        )
    if amount.minor_units < 0:
        raise Refusal.of_field(f"{field}.minor_units", "must not be negative")
    return amount


def quote_to_wire(quote: Quote) -> tax_pb2.TaxQuote:
    """Return the quote as a message."""
    return tax_pb2.TaxQuote(
        total_tax=wire.money_to_wire(quote.total_tax),
        source=_SOURCES[quote.source],
        lines=[_line_to_wire(line) for line in quote.lines],
    )


def document_to_wire(document: Document) -> tax_pb2.TaxDocument:
    """Return the document as a message."""
    return tax_pb2.TaxDocument(
        code=document.code,
        state=_STATES[document.state],
        total_tax=wire.money_to_wire(document.recorded_tax),
        difference=wire.money_to_wire(document.difference()),
    )


def _line_to_wire(line: TaxLine) -> tax_pb2.TaxLine:
    return tax_pb2.TaxLine(
        line_id=line.line_id,
        tax=wire.money_to_wire(line.tax),
        jurisdictions=[_jurisdiction_to_wire(each) for each in line.jurisdictions],
    )


def _jurisdiction_to_wire(jurisdiction: Jurisdiction) -> tax_pb2.TaxJurisdiction:
    return tax_pb2.TaxJurisdiction(
        name=jurisdiction.name,
        kind=jurisdiction.kind,
        # "f" because str() may write an exponent.
        rate=f"{jurisdiction.rate:f}",
        tax=wire.money_to_wire(jurisdiction.tax),
    )
