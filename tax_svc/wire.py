"""ordermesh.tax.v1 ⇄ domain. Total functions: what the rules of the protos cannot state is refused by field."""

import base64
from datetime import UTC, datetime, time, timedelta

from ordermesh.tax.v1 import tax_pb2, tax_service_pb2
from ordermesh.type.v1 import money_pb2

from chassis import wire
from kernel.errors import Refusal
from kernel.money import Money
from tax_svc.app.ports import Listed
from tax_svc.domain.basis import Basis, BasisLine
from tax_svc.domain.document import Document, DocumentKind, DocumentState, RecordedDocument, return_code
from tax_svc.domain.giveback import Giveback, ReturnedLine, Wrong, returned
from tax_svc.domain.quote import Jurisdiction, Quote, Source, TaxLine
from tax_svc.domain.resolution import Resolution

_LARGEST_PAGE = 100
_USUAL_LIST, _LARGEST_LIST = 50, 200

# Beyond what any list has; what is read from a token is not trusted.
_LARGEST_SKIP = 2**31 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_SOURCES = {
    Source.AVATAX: tax_pb2.TAX_SOURCE_AVATAX,
    Source.FALLBACK: tax_pb2.TAX_SOURCE_FALLBACK,
}
_KINDS = {
    DocumentKind.SALE: tax_pb2.TAX_DOCUMENT_KIND_SALE,
    DocumentKind.RETURN: tax_pb2.TAX_DOCUMENT_KIND_RETURN,
}
_STATES = {
    DocumentState.COMMITTED: tax_pb2.TAX_DOCUMENT_STATE_COMMITTED,
    DocumentState.VOIDED: tax_pb2.TAX_DOCUMENT_STATE_VOIDED,
}


def basis_from_wire(message: tax_pb2.TaxBasis) -> Basis:
    """Return the basis.

    Raises:
        Refusal: An unknown currency, two currencies, a line id twice, or discounts above the prices; the field is
            named.
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
                amount=_signed_amount_from_wire(line.amount, f"{path}.amount", currency_code),
                tax_code=line.tax_code,
            )
        )
    basis = Basis(
        customer_id=message.customer_id,
        currency_code=currency_code,
        lines=tuple(lines),
        ship_to=wire.address_from_wire(message.ship_to),
        prices_include_tax=message.prices_include_tax,
        exemption_number=message.exemption_number,
        entity_use_code=message.entity_use_code,
        business_id=message.business_id,
    )
    if basis.subtotal().minor_units < 0:
        raise Refusal.of_field("basis.lines", "must not be negative together: the discounts are more than the prices")
    return basis


def giveback_from_wire(message: tax_service_pb2.RefundTaxRequest, caller: str) -> Giveback:
    """Return what is given back.

    Args:
        message: The request.
        caller: Whose key it carries: the code of the document follows from both.

    Raises:
        Refusal: What basis_from_wire refuses; a line that was not sold, was named before, has another currency or the
            wrong sign, or is more than was sold; all together negative; the field is named.
    """
    if message.HasField("amount"):
        raise Refusal.of_field("amount", "is not used any more; say what is given back by lines")
    basis = basis_from_wire(message.basis)
    sold = {line.line_id: line for line in basis.lines}
    lines = [_returned_from_wire(line, f"lines[{place}]", sold, basis) for place, line in enumerate(message.lines)]
    code = return_code(message.order_id, caller, message.request_id)
    giveback = Giveback(code, message.order_id, basis, tuple(lines))
    if (giveback.amount() + giveback.tax()).minor_units < 0:
        raise Refusal.of_field("lines", "must not be negative together: nothing would be given back")
    return giveback


def _returned_from_wire(
    line: tax_pb2.TaxRefundLine, path: str, sold: dict[str, BasisLine], basis: Basis
) -> ReturnedLine:
    """Return one line, and take it out of those that are left of what was sold."""
    of_sale = sold.pop(line.line_id, None)
    if of_sale is None:
        raise Refusal.of_field(f"{path}.line_id", "is no line of the basis, or was given to an earlier line")
    amount = _signed_amount_from_wire(line.amount, f"{path}.amount", basis.currency_code)
    tax = _signed_amount_from_wire(line.tax, f"{path}.tax", basis.currency_code)
    try:
        return returned(of_sale, amount, tax, with_tax=basis.prices_include_tax)
    except Wrong as error:
        raise Refusal.of_field(f"{path}.{error.field}.minor_units", error.what) from error


def amount_from_wire(message: money_pb2.Money, field: str, currency_code: str) -> Money:
    """Return an amount that may not be negative and has to be in the basis's currency.

    Raises:
        Refusal: It is or is not; `field` is named.
    """
    amount = _signed_amount_from_wire(message, field, currency_code)
    if amount.minor_units < 0:
        raise Refusal.of_field(f"{field}.minor_units", "must not be negative")
    return amount


def _signed_amount_from_wire(message: money_pb2.Money, field: str, currency_code: str) -> Money:
    amount = wire.money_from_wire(message, field)
    if amount.currency_code != currency_code:
        raise Refusal.of_field(
            f"{field}.currency_code", f"is {amount.currency_code}, but basis.currency_code is {currency_code}"
        )
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
        order_id=document.order_id,
        kind=_KINDS[document.kind],
        create_time=wire.time_to_wire(document.created_at),
    )


def resolution_to_wire(resolution: Resolution) -> tax_service_pb2.ResolveAddressResponse:
    """Return what is said of an address as a message."""
    address = resolution.address
    return tax_service_pb2.ResolveAddressResponse(
        valid=resolution.is_valid(),
        address=None if address is None else wire.address_to_wire(address),
        remarks=[
            tax_pb2.AddressRemark(field=remark.part, message=remark.message, error=remark.is_error)
            for remark in resolution.remarks
        ],
    )


def listed_from_wire(request: tax_service_pb2.ListTaxDocumentsRequest) -> Listed:
    """Return which of our documents a page shows.

    Raises:
        Refusal: The token is none of ours, or belongs to a list with other filters.
    """
    size = min(request.page_size or _USUAL_LIST, _LARGEST_LIST)
    after = _place_from_wire(request) if request.page_token else None
    return Listed(request.order_id, request.differing, after, size)


def _place_from_wire(request: tax_service_pb2.ListTaxDocumentsRequest) -> tuple[datetime, str]:
    try:
        token = base64.b64decode(request.page_token, altchars=b"-_", validate=True).decode("ascii")
        filters, milliseconds, code = token.rsplit("|", 2)
        moment = _EPOCH + int(milliseconds) * _MILLISECOND
    except (ValueError, OverflowError):
        raise Refusal.of_field("page_token", "is not a token of ours; pass next_page_token as it was given") from None
    if filters != _filters(request):
        raise Refusal.of_field("page_token", "belongs to a list with other filters; begin at the first page")
    return moment, code


def place_to_wire(request: tax_service_pb2.ListTaxDocumentsRequest, last: Document) -> str:
    """Return the token of the page that follows `last`."""
    milliseconds = (last.created_at - _EPOCH) // _MILLISECOND
    return base64.urlsafe_b64encode(f"{_filters(request)}|{milliseconds}|{last.code}".encode()).decode()


def _filters(request: tax_service_pb2.ListTaxDocumentsRequest) -> str:
    return f"{request.order_id}|{request.differing}"


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
