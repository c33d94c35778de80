"""What is taxed, what the tax is, and the rate that stands in while nobody can be asked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import Enum

from kernel.address import Address
from kernel.money import Money


class Source(Enum):
    """Where a tax figure comes from."""

    AVATAX = "AVATAX"
    FALLBACK = "FALLBACK"


class DocumentState(Enum):
    """Where a tax document stands."""

    COMMITTED = "COMMITTED"
    VOIDED = "VOIDED"


@dataclass(frozen=True, slots=True)
class BasisLine:
    """One line to be taxed.

    Attributes:
        line_id: Unique in its basis.
        sku: The shop's article number; may be empty.
        description: In words; may be empty.
        quantity: At least 1.
        amount: The extended price before tax, not negative.
        tax_code: AvaTax's; empty means general goods.
    """

    line_id: str
    sku: str
    description: str
    quantity: int
    amount: Money
    tax_code: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What is to be taxed.

    Attributes:
        customer_id: The shop's id of the buyer; exemptions hang on it.
        currency_code: Of every amount.
        lines: At least one.
        ship_to: Where the goods go.
    """

    customer_id: str
    currency_code: str
    lines: tuple[BasisLine, ...]
    ship_to: Address

    def subtotal(self) -> Money:
        """Return the sum of the lines."""
        return Money.total((line.amount for line in self.lines), self.currency_code)


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """One authority's share of a line's tax.

    Attributes:
        name: "CALIFORNIA".
        kind: "State", as AvaTax writes it.
        rate: The exact decimal fraction: 0.0725.
        tax: Its tax on the line.
    """

    name: str
    kind: str
    rate: Decimal
    tax: Money


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The tax of one line of a basis.

    Attributes:
        line_id: Which line.
        tax: All of it.
        jurisdictions: What it consists of; empty when nobody said.
    """

    line_id: str
    tax: Money
    jurisdictions: tuple[Jurisdiction, ...] = ()


@dataclass(frozen=True, slots=True)
class Quote:
    """The tax of a basis.

    Attributes:
        source: Where the figure comes from.
        lines: One for each line of the basis, in its order.
        total_tax: The exact sum of the lines' tax.
    """

    source: Source
    lines: tuple[TaxLine, ...]
    total_tax: Money

    @classmethod
    def of(cls, source: Source, lines: Sequence[TaxLine], currency_code: str) -> "Quote":
        """Return the quote that these lines add up to."""
        return cls(source, tuple(lines), Money.total((line.tax for line in lines), currency_code))


@dataclass(frozen=True, slots=True)
class Document:
    """What the tax authority's service keeps of a sale.

    Attributes:
        code: The order's id.
        state: Where it stands.
        recorded_tax: The tax that was worked out when it was recorded.
        charged_tax: The tax that the buyer paid.
    """

    code: str
    state: DocumentState
    recorded_tax: Money
    charged_tax: Money

    def difference(self) -> Money:
        """Return recorded less charged: other than zero when the charge was taken at the fallback rate."""
        return self.recorded_tax - self.charged_tax


@dataclass(frozen=True, slots=True)
class RecordedDocument:
    """A document as the tax authority's service lists it: ours, or another system's of the same company.

    Attributes:
        code: The order's id when it is ours.
        kind: Its word for the kind: "SalesInvoice", "ReturnInvoice".
        status: Its word for where it stands: "Committed", "Saved", "Cancelled".
        amount: What was sold, before tax; negative for a return.
        tax: The tax that it records; negative for a return.
        booked_on: The date that it counts for.
    """

    code: str
    kind: str
    status: str
    amount: Money
    tax: Money
    booked_on: date


@dataclass(frozen=True, slots=True)
class FallbackRates:
    """The rates that are used while AvaTax cannot be asked.

    Attributes:
        default: Decimal fraction, 0.08.
        by_region: By country ("DE") or country and state ("US-CA"); the narrower one wins.
    """

    default: Decimal
    by_region: Mapping[str, Decimal] = field(default_factory=dict)

    def rate_for(self, address: Address) -> Decimal:
        """Return the rate for goods that go there."""
        state = f"{address.region_code}-{address.administrative_area}"
        return self.by_region.get(state, self.by_region.get(address.region_code, self.default))

    def quote(self, basis: Basis) -> Quote:
        """Return the tax of the basis at the rate of its address.

        The total is the rate times the subtotal, rounded once, so that a buyer who works it out again gets the same. It
        is then spread over the lines so that they add up to it: none is off its own exact tax by a whole minor unit.
        """
        rate = self.rate_for(basis.ship_to)
        exact = [rate * line.amount.minor_units for line in basis.lines]
        taxes = [
            TaxLine(line.line_id, Money(basis.currency_code, units))
            for line, units in zip(basis.lines, spread(exact), strict=True)
        ]
        return Quote.of(Source.FALLBACK, taxes, basis.currency_code)


def spread(exact: Sequence[Decimal]) -> list[int]:
    """Return whole numbers that add up to the sum of the exact ones, rounded half to even.

    Each is its exact number rounded down or up. Those that lose most by rounding down are rounded up; of equal ones the
    earlier.
    """
    total = int(sum(exact, Decimal(0)).to_integral_value(ROUND_HALF_EVEN))
    whole = [int(number.to_integral_value(ROUND_FLOOR)) for number in exact]
    losses = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place in losses[: total - sum(whole)]:
        whole[place] += 1
    return whole
