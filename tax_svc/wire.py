"""ordermesh.tax.v1 ⇄ domain. Total functions: what the rules of the protos cannot state is refused by field."""

import base64
from datetime import UTC, datetime, time

from ordermesh.tax.v1 import tax_pb2, tax_service_pb2
from ordermesh.type.v1 import money_pb2

from chassis import wire
from kernel.errors import Refusal
from kernel.money import Money
from tax_svc.domain import (
    Basis,
    BasisLine,
    Document,
    DocumentState,
    Jurisdiction,
    Quote,
    RecordedDocument,
    Source,
    TaxLine,
)

_LARGEST_PAGE = 100

# Beyond what any list has; what is read from a token is not trusted.
_LARGEST_SKIP = 2**31 - 1

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


def recorded_to_wire(document: RecordedDocument) -> tax_pb2.ProviderTaxDocument:
    """Return a document of AvaTax's list as a message."""
    return tax_pb2.ProviderTaxDocument(
        code=document.code,
        kind=document.kind,
        status=document.status,
        amount=wire.money_to_wire(document.amount),
        tax=wire.money_to_wire(document.tax),
        date=wire.time_to_wire(datetime.combine(document.booked_on, time.min, UTC)),
    )


def page_size_from_wire(request: tax_service_pb2.ListProviderDocumentsRequest) -> int:
    """Return how many documents a page holds."""
    return min(request.page_size or _LARGEST_PAGE, _LARGEST_PAGE)


def skip_from_wire(token: str) -> int:
    """Return how many documents come before the page; 0 for the first.

    Raises:
        Refusal: The token is none of ours.
    """
    if not token:
        return 0
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:  # binascii.Error and UnicodeDecodeError are
        text = ""
    if not text.isdecimal() or int(text) > _LARGEST_SKIP:
        raise Refusal.of_field("page_token", "is not a token of ours; pass next_page_token as it was given")
    return int(text)


def skip_to_wire(skip: int) -> str:
    """Return the token of the page that begins after so many documents."""
    return base64.urlsafe_b64encode(str(skip).encode()).decode()


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
