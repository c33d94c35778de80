"""The arithmetic of a tax document: pure, in decimals, rounded per jurisdiction so that lines add up to the total."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal

from sandbox.avatax.rates import Rates, Tax

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """What is sold in one line of a document."""

    number: str
    amount: Decimal
    """Extended price; tax included or not."""
    rates: Rates
    tax_included: bool = False
    exempt: bool = False
    """Whether the buyer is exempt."""
    taxable: bool = True
    """Whether the goods are taxed at all."""
    discounted: bool = False
    tax_override: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """One jurisdiction's share of a line."""

    tax: Tax
    taxable: Decimal
    exempt: Decimal
    non_taxable: Decimal
    calculated: Decimal
    """What the rate gives."""
    charged: Decimal
    """What is charged: the same, unless overridden."""


@dataclass(frozen=True, slots=True)
class LineTax:
    """The tax on one line."""

    line: Line
    amount: Decimal
    """The line's price without tax, before discount."""
    discount: Decimal
    taxable: Decimal
    exempt: Decimal
    """What is not taxed, for whatever reason."""
    details: tuple[Detail, ...] = field(default=())

    @property
    def calculated(self) -> Decimal:
        """What the rates give."""
        return sum((detail.calculated for detail in self.details), _ZERO)

    @property
    def charged(self) -> Decimal:
        """What is charged."""
        if not self.details and self.line.tax_override is not None:
            return self.line.tax_override
        return sum((detail.charged for detail in self.details), _ZERO)


def calculate(
    lines: Sequence[Line], *, digits: int, discount: Decimal = _ZERO, tax_override: Decimal | None = None
) -> list[LineTax]:
    """Return the tax on each line.

    Args:
        lines: what is sold.
        digits: how many digits the currency has after the point.
        discount: spread over the lines that are `discounted`, by their amounts.
        tax_override: the document's total tax, spread over the lines by what the rates give.
    """
    unit = Decimal(1).scaleb(-digits)
    shares = _spread(discount, [line.amount if line.discounted else _ZERO for line in lines], unit)
    results = [_tax_line(line, share, unit) for line, share in zip(lines, shares, strict=True)]
    if tax_override is not None:
        weights = [result.calculated for result in results]
        if not any(weights):
            weights = [result.amount for result in results]
        parts = _spread(tax_override, weights, unit)
        results = [_override(result, part, unit) for result, part in zip(results, parts, strict=True)]
    return results


def _tax_line(line: Line, discount: Decimal, unit: Decimal) -> LineTax:
    base = line.amount - discount
    taxed = line.taxable and not line.exempt
    total_rate = sum((tax.rate for tax in line.rates.taxes), _ZERO)
    net = base / (1 + total_rate) if line.tax_included and taxed else base
    taxes = [_rounded(net * tax.rate, unit) if taxed else _ZERO for tax in line.rates.taxes]
    if line.tax_included:
        # What the jurisdictions do not get stays with the seller, so that price and tax still make the gross amount.
        base -= sum(taxes, _ZERO)
    base = _rounded(base, unit)
    details = tuple(
        Detail(
            tax=tax,
            taxable=base if taxed else _ZERO,
            exempt=base if line.exempt else _ZERO,
            non_taxable=base if not line.taxable and not line.exempt else _ZERO,
            calculated=amount,
            charged=amount,
        )
        for tax, amount in zip(line.rates.taxes, taxes, strict=True)
    )
    taxable = base if taxed and details else _ZERO
    result = LineTax(line, base + discount, discount, taxable, base - taxable, details)
    return result if line.tax_override is None else _override(result, line.tax_override, unit)


def _override(result: LineTax, tax: Decimal, unit: Decimal) -> LineTax:
    weights = [detail.calculated for detail in result.details]
    if not any(weights):
        weights = [Decimal(1) for _ in result.details]
    parts = _spread(tax, weights, unit)
    details = tuple(replace(detail, charged=part) for detail, part in zip(result.details, parts, strict=True))
    return replace(result, details=details, line=replace(result.line, tax_override=tax))


def _spread(total: Decimal, weights: Sequence[Decimal], unit: Decimal) -> list[Decimal]:
    """Split a total by weights into whole units that add up to it exactly; without weights nothing is split."""
    whole = sum(weights, _ZERO)
    if not whole or not total:
        return [_ZERO] * len(weights)
    shares: list[Decimal] = []
    given = passed = _ZERO
    for weight in weights:
        passed += weight
        share = _rounded(total * passed / whole, unit) - given
        given += share
        shares.append(share)
    return shares


def _rounded(amount: Decimal, unit: Decimal) -> Decimal:
    return amount.quantize(unit, rounding=ROUND_HALF_UP)
