"""A tax authority that knows one rate and forgets nothing until the test ends."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from kernel.address import Address
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.app.ports import AddressRejected, DocumentLocked, ListDenied, RecordedPage, Rejection, SaleRejected
from tax_svc.domain.basis import Basis, BasisLine
from tax_svc.domain.document import Recorded, RecordedDocument
from tax_svc.domain.fallback import FallbackRates
from tax_svc.domain.giveback import Giveback
from tax_svc.domain.quote import Quote, Source
from tax_svc.domain.resolution import Remark, Resolution, changes

TODAY = date(2026, 11, 23)


class FakeTaxAuthority:
    """Taxes everything at 8.625 %, except what goes to a postal code of zeros: that it cannot place.

    Whoever says that he is exempt pays nothing.

    Attributes:
        rate: The one rate.
        away: Set to make every answer unknown.
        loses_answers: Set to make it do what it is asked, and say nothing.
        denies_lists: Set to make it keep to itself what it recorded.
        asked: How often it was asked for a quote.
        recorded: The sales that it recorded, by order id, void or not.
        returned: What was given back, by the code of the document.
        sold_on: The dates of the sales that the returns were about, by the code of the return.
        voided: The order ids of the sales that are void.
        locked: The order ids of the sales that were reported.
    """

    def __init__(self) -> None:
        self.rate = Decimal("0.08625")
        self.away: Unknown | None = None
        self.loses_answers = False
        self.denies_lists = False
        self.asked = 0
        self.recorded: dict[str, tuple[Basis, Recorded]] = {}
        self.returned: dict[str, tuple[Giveback, Recorded]] = {}
        self.sold_on: dict[str, date] = {}
        self.voided: set[str] = set()
        self.locked: set[str] = set()

    async def quote(self, basis: Basis) -> Done[Quote] | NotDone[Rejection] | Unknown:
        if self.away is not None:
            return self.away
        self.asked += 1
        rejection = self._rejection(basis)
        if rejection is not None:
            return NotDone(rejection)
        quote = self._quote(basis)
        return NotDone(SaleRejected("NegativeTax")) if quote.total_tax.minor_units < 0 else Done(quote)

    async def record(self, order_id: str, basis: Basis) -> Done[Recorded] | NotDone[Rejection] | Unknown:
        if self.away is not None:
            return self.away
        rejection = self._rejection(basis)
        if rejection is not None:
            return NotDone(rejection)
        new = Recorded(self._quote(basis).total_tax, TODAY)
        if order_id in self.voided:
            self.voided.remove(order_id)
            self.recorded[order_id] = (basis, new)
        sold, recorded = self.recorded.setdefault(order_id, (basis, new))
        if sold.subtotal() != basis.subtotal():
            return NotDone(SaleRejected("DocumentDiffers"))
        return Unknown("no answer") if self.loses_answers else Done(recorded)

    async def give_back(self, giveback: Giveback, sold_on: date) -> Done[Recorded] | NotDone[Rejection] | Unknown:
        if self.away is not None:
            return self.away
        rejection = self._rejection(giveback.basis)
        if rejection is not None:
            return NotDone(rejection)
        new = (giveback, Recorded(giveback.tax() * -1, TODAY))
        kept, recorded = self.returned.setdefault(giveback.code, new)
        self.sold_on.setdefault(giveback.code, sold_on)
        if kept.amount() != giveback.amount():
            return NotDone(SaleRejected("DocumentDiffers"))
        return Unknown("no answer") if self.loses_answers else Done(recorded)

    async def void(self, order_id: str) -> Done[Recorded | None] | NotDone[DocumentLocked | Rejection] | Unknown:
        if self.away is not None:
            return self.away
        if order_id in self.locked:
            return NotDone(DocumentLocked())
        was = None
        if order_id in self.recorded:
            self.voided.add(order_id)
            _, was = self.recorded[order_id]
        return Unknown("no answer") if self.loses_answers else Done(was)

    async def resolve(self, address: Address) -> Done[Resolution] | NotDone[Rejection] | Unknown:
        if self.away is not None:
            return self.away
        if address.postal_code == "00000":
            return Done(Resolution(None, (Remark("postal_code", "is not valid", is_error=True),)))
        if address.line1.lower().startswith("invalid"):
            return Done(Resolution(None, (Remark("line1", "is out of range", is_error=True),)))
        states = {"California": "CA"}
        area = states.get(address.administrative_area, address.administrative_area)
        resolved = replace(address, administrative_area=area)
        return Done(Resolution(resolved, changes(address, resolved)))

    async def list_recorded(self, skip: int, limit: int) -> Done[RecordedPage] | NotDone[ListDenied] | Unknown:
        if self.away is not None:
            return self.away
        if self.denies_lists:
            return NotDone(ListDenied("denied"))
        documents = [self._listed_sale(code) for code in self.recorded]
        documents += [self._listed_return(code) for code in self.returned]
        return Done(RecordedPage(tuple(documents[skip : skip + limit]), skip + limit < len(documents)))

    def _listed_sale(self, code: str) -> RecordedDocument:
        basis, recorded = self.recorded[code]
        amount = basis.subtotal() - recorded.tax if basis.prices_include_tax else basis.subtotal()
        status = "Cancelled" if code in self.voided else "Committed"
        return RecordedDocument(code, "SalesInvoice", status, amount, recorded.tax, recorded.booked_on)

    def _listed_return(self, code: str) -> RecordedDocument:
        giveback, recorded = self.returned[code]
        amount = giveback.amount() * -1
        return RecordedDocument(code, "ReturnInvoice", "Committed", amount, recorded.tax, recorded.booked_on)

    def _rejection(self, basis: Basis) -> Rejection | None:
        if basis.ship_to.postal_code == "00000":
            return AddressRejected("postal_code", "is not valid")
        return None

    def _quote(self, basis: Basis) -> Quote:
        exempt = basis.exemption_number or basis.entity_use_code
        rates = FallbackRates(Decimal(0) if exempt else self.rate)
        taxed = rates.quote(replace(basis, lines=tuple(_taxable(line) for line in basis.lines)))
        return Quote(Source.AVATAX, taxed.lines, taxed.total_tax)


def _taxable(line: BasisLine) -> BasisLine:
    """Return the line as it counts for the tax: goods that bear none, by their code, for nothing."""
    return replace(line, amount=Money.zero(line.amount.currency_code)) if line.tax_code == "NT" else line
