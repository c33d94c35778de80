"""The tax of an order, line by line."""

from dataclasses import dataclass
from enum import StrEnum

from kernel.money import Money


class TaxSource(StrEnum):
    """Where a tax figure comes from."""

    AVATAX = "AVATAX"
    FALLBACK = "FALLBACK"


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """One authority's share of a line's tax.

    Attributes:
        name: "CALIFORNIA".
        kind: AvaTax's word: "State".
        rate: A decimal fraction in text: "0.0725".
        tax: Its amount.
    """

    name: str
    kind: str
    rate: str
    tax: Money


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The tax of one item; `line_id` is the item's position, from "1"."""

    line_id: str
    tax: Money
    jurisdictions: tuple[Jurisdiction, ...] = ()


@dataclass(frozen=True, slots=True)
class Tax:
    """The tax of an order.

    Attributes:
        amount: The exact sum of the lines.
        source: Where it comes from.
        lines: One per item, in their order.
    """

    amount: Money
    source: TaxSource
    lines: tuple[TaxLine, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the tax authority's service has recorded of a sale or of a refund.

    Attributes:
        code: Of its document.
        difference: Recorded tax less charged tax.
    """

    code: str
    difference: Money
