"""Which taxes a destination levies, and how high.

European VAT comes from `eu-vat-rates-data`; North America from the estimates in data/north_america.json; everywhere
else nothing is levied, as with an AvaTax company that has declared nexus nowhere else.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from eu_vat_rates_data import get_rate

from sandbox.avatax.places import NORTH_AMERICA, Place, expand_ranges

_PERCENT = Decimal(100)
_TYPE_CODES = {"Country": "CNT", "State": "STA", "County": "CTY", "City": "CIT", "Special": "STJ"}


@dataclass(frozen=True, slots=True)
class Tax:
    """One tax of one jurisdiction."""

    country: str
    region: str
    level: str
    """Country, State, County, City or Special."""
    code: str
    name: str
    """The jurisdiction's name."""
    tax_name: str
    rate: Decimal
    """As a fraction: 0.06."""
    kind: str = "Sales"
    """AvaTax's taxType: Sales, or Output for VAT and GST."""
    fips: str = ""

    @property
    def type_code(self) -> str:
        """The three letters that lines use for the level."""
        return _TYPE_CODES[self.level]


@dataclass(frozen=True, slots=True)
class Rates:
    """What a destination levies."""

    taxes: tuple[Tax, ...]
    estimated: bool
    """Whether the figures are estimates rather than the law."""


def rates_at(place: Place) -> Rates:
    """Return the taxes at a destination whose country and region are codes."""
    if place.country == "US":
        return _united_states(place.region, place.postal_code[:3])
    if place.country == "CA":
        return _canada(place.region)
    return _europe(place.country)


@lru_cache(maxsize=4096)
def _united_states(state: str, zip3: str) -> Rates:
    facts: dict[str, Any] | None = NORTH_AMERICA["us"].get(state)
    if facts is None:
        return Rates((), estimated=True)

    def tax(level: str, code: str, name: str, percent: str) -> Tax:
        return Tax(
            country="US",
            region=state,
            level=level,
            code=code,
            name=name.upper(),
            tax_name=f"{state} {level.upper()} TAX",
            rate=_fraction(percent),
            fips=facts["fips"],
        )

    taxes = [tax("State", facts["fips"], facts["name"], facts["percent"])]
    taxes.extend(
        tax(local["type"], local["code"], local["name"], local["percent"])
        for local in NORTH_AMERICA["us_local"]
        if local["region"] == state and zip3 in expand_ranges(local["zip3"])
    )
    return Rates(tuple(taxes), estimated=True)


@lru_cache(maxsize=64)
def _canada(province: str) -> Rates:
    facts = NORTH_AMERICA["ca"]["provinces"].get(province, {})
    gst = Tax(
        country="CA",
        region="CA",
        level="Country",
        code="CA",
        name="CANADA",
        tax_name="CANADA GST/TPS",
        rate=_fraction(NORTH_AMERICA["ca"]["gst"]),
        kind="Output",
        fips="CA",
    )

    def provincial(tax_name: str, percent: str) -> Tax:
        return replace(
            gst,
            region=province,
            level="State",
            code=province,
            name=facts["name"].upper(),
            tax_name=tax_name,
            rate=_fraction(percent),
            fips="",
        )

    if "hst" in facts:
        return Rates((provincial("CANADA HST/TVH", facts["hst"]),), estimated=True)
    if "provincial" in facts:
        own = facts["provincial"]
        return Rates((gst, provincial(f"{province} {own['name']}", own["percent"])), estimated=True)
    return Rates((gst,), estimated=True)


@lru_cache(maxsize=256)
def _europe(country: str) -> Rates:
    facts = get_rate(country)
    if facts is None:
        return Rates((), estimated=False)
    vat = Tax(
        country=country,
        region=country,
        level="Country",
        code=country,
        name=facts["country"].upper(),
        tax_name=f"{country} VAT",
        rate=_fraction(str(facts["standard"])),
        kind="Output",
        fips=country,
    )
    return Rates((vat,), estimated=False)


def _fraction(percent: str) -> Decimal:
    return Decimal(percent) / _PERCENT
