"""A tax authority that knows one rate and forgets nothing until the test ends."""

from datetime import date
from decimal import Decimal

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.app import AddressRejected, ListDenied, RecordedPage, Rejection, SaleRejected
from tax_svc.domain import Basis, FallbackRates, Quote, RecordedDocument, Source


class FakeTaxAuthority:
    """Taxes everything at 8.625 %, except what goes to a postal code of zeros: that it cannot place.

    Attributes:
        rate: The one rate.
        away: Set to make every answer unknown.
        loses_answers: Set to make it do what it is asked, and say nothing.
        denies_lists: Set to make it keep to itself what it recorded.
        recorded: What it recorded, by order id.
    """

    def __init__(self) -> None:
        self.rate = Decimal("0.08625")
        self.away: Unknown | None = None
        self.loses_answers = False
        self.denies_lists = False
        self.recorded: dict[str, tuple[Basis, Money]] = {}

    async def quote(self, basis: Basis) -> Done[Quote] | NotDone[Rejection] | Unknown:
        if self.away is not None:
            return self.away
        rejection = self._rejection(basis)
        return NotDone(rejection) if rejection else Done(self._quote(basis))

    async def record(self, order_id: str, basis: Basis) -> Done[Money] | NotDone[Rejection] | Unknown:
        if self.away is not None:
            return self.away
        rejection = self._rejection(basis)
        if rejection is not None:
            return NotDone(rejection)
        sold, tax = self.recorded.setdefault(order_id, (basis, self._quote(basis).total_tax))
        if sold.subtotal() != basis.subtotal():
            return NotDone(SaleRejected("DocumentDiffers"))
        return Unknown("no answer") if self.loses_answers else Done(tax)

    async def list_recorded(self, skip: int, limit: int) -> Done[RecordedPage] | NotDone[ListDenied] | Unknown:
        if self.away is not None:
            return self.away
        if self.denies_lists:
            return NotDone(ListDenied("denied"))
        documents = [
            RecordedDocument(code, "SalesInvoice", "Committed", basis.subtotal(), tax, date(2026, 11, 23))
            for code, (basis, tax) in self.recorded.items()
        ]
        return Done(RecordedPage(tuple(documents[skip : skip + limit]), skip + limit < len(documents)))

    def _rejection(self, basis: Basis) -> Rejection | None:
        if basis.ship_to.postal_code == "00000":
            return AddressRejected("postal_code", "is not valid")
        return None

    def _quote(self, basis: Basis) -> Quote:
        taxes = FallbackRates(self.rate).quote(basis)
        return Quote(Source.AVATAX, taxes.lines, taxes.total_tax)
