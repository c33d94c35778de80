"""The rates that stand in while nobody can be asked, and where none may."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import TypeVar

from kernel.address import Address
from kernel.money import Money
from tax_svc.domain.basis import Basis
from tax_svc.domain.quote import Quote, Source, TaxLine

T = TypeVar("T")

EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class FallbackRates:
    """The rates that are used while AvaTax cannot be asked.

    Attributes:
        default: Decimal fraction, 0.08.
        by_region: By country ("DE") or country and state ("US-CA"); the narrower one wins.
        allowed: Whether an estimate may stand in at all, by country, by country and state, or by "*" for the rest;
            where nothing is said it may.
    """

    default: Decimal
    by_region: Mapping[str, Decimal] = field(default_factory=dict)
    allowed: Mapping[str, bool] = field(default_factory=dict)

    def rate_for(self, address: Address) -> Decimal:
        """Return the rate for goods that go there."""
        return _narrowest(self.by_region, address, self.default)

    def allows(self, address: Address) -> bool:
        """Say whether goods that go there may be sold at an estimate."""
        return _narrowest(self.allowed, address, self.allowed.get(EVERYWHERE, True))

    def quote(self, basis: Basis) -> Quote:
        """Return the tax of the basis at the rate of its address.

        Buyers who say that they are exempt are taxed like everybody: whether their certificate holds there is for
        AvaTax to say. A tax that was not due can be given back, and the difference to what AvaTax records is listed;
        one that was not taken is the shop's to pay.
        """
        rate = self.rate_for(basis.ship_to)
        units = [line.amount.minor_units for line in basis.lines]
        taxes = contained(units, rate) if basis.prices_include_tax else spread([rate * each for each in units])
        lines = [
            TaxLine(line.line_id, Money(basis.currency_code, tax)) for line, tax in zip(basis.lines, taxes, strict=True)
        ]
        return Quote.of(Source.FALLBACK, lines, basis.currency_code)


def contained(gross: Sequence[int], rate: Decimal) -> list[int]:
    """Return the tax in each of the gross amounts: what is left of it when the net, rounded half to even, is taken out.

    Line by line, as AvaTax does it, so that net and tax of each line make its price again.
    """
    divisor = 1 + Fraction(rate)
    return [each - round(each / divisor) for each in gross]


def spread(exact: Sequence[Decimal]) -> list[int]:
    """Return whole numbers that add up to the sum of the exact ones, rounded half to even.

    The total is rounded once, so that a buyer who works it out again gets the same. Each number is its exact one
    rounded down or up: none is off by a whole unit. Those that lose most by rounding down are rounded up; of equal ones
    the earlier.
    """
    total = int(sum(exact, Decimal(0)).to_integral_value(ROUND_HALF_EVEN))
    whole = [int(number.to_integral_value(ROUND_FLOOR)) for number in exact]
    losses = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place in losses[: total - sum(whole)]:
        whole[place] += 1
    return whole


def _narrowest(by_region: Mapping[str, T], address: Address, default: T) -> T:
    state = f"{address.region_code}-{address.administrative_area}"
    return by_region.get(state, by_region.get(address.region_code, default))
