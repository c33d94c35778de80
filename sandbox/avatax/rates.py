"""Which taxes a destination levies, and how high.

European VAT comes from `eu-vat-rates-data`; North America from the estimates in data/north_america.json; everywhere
else nothing is levied, as with an AvaTax company that has declared nexus nowhere else.
"""

from dataclasses import dataclass
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
    taxes = [
        Tax(
            "US", state, "State", facts["fips"], facts["name"].upper(), f"{state} STATE TAX", _fraction(facts["percent"]),
            fips=facts["fips"],
        )
    ]  # fmt: skip
    for local in NORTH_AMERICA["us_local"]:
        if local["region"] == state and zip3 in expand_ranges(local["zip3"]):
            taxes.append(
                Tax(
                    "US", state, local["type"], local["code"], local["name"], f"{state} {local['type'].upper()} TAX",
                    _fraction(local["percent"]), fips=facts["fips"],
                )
            )  # fmt: skip
    return Rates(tuple(taxes), estimated=True)


@lru_cache(maxsize=64)
def _canada(province: str) -> Rates:
    facts = NORTH_AMERICA["ca"]["provinces"].get(province, {})
    if "hst" in facts:
        hst = Tax(
            "CA",
            province,
            "State",
            province,
            facts["name"].upper(),
            "CANADA HST/TVH",
            _fraction(facts["hst"]),
            "Output",
        )
        return Rates((hst,), estimated=True)
    gst = Tax(
        "CA", "CA", "Country", "CA", "CANADA", "CANADA GST/TPS", _fraction(NORTH_AMERICA["ca"]["gst"]), "Output", "CA"
    )
    own = facts.get("provincial")
    if own is None:
        return Rates((gst,), estimated=True)
    name = f"{facts['name'].upper()} {own['name']}"
    provincial = Tax(
        "CA", province, "State", province, facts["name"].upper(), name, _fraction(own["percent"]), "Output"
    )
    return Rates((gst, provincial), estimated=True)


@lru_cache(maxsize=256)
def _europe(country: str) -> Rates:
    facts = get_rate(country)
    if facts is None:
        return Rates((), estimated=False)
    rate = _fraction(str(facts["standard"]))
    vat = Tax(country, country, "Country", country, facts["country"].upper(), f"{country} VAT", rate, "Output", country)
    return Rates((vat,), estimated=False)


def _fraction(percent: str) -> Decimal:
    return Decimal(percent) / _PERCENT
