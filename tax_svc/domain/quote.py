"""What the tax is, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from kernel.money import Money


class Source(Enum):
    """Where a tax figure comes from."""

    AVATAX = "AVATAX"
    FALLBACK = "FALLBACK"


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
