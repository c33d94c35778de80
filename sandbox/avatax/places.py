"""Where things are: countries, US states by ZIP code, Canadian provinces by postal code."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

NORTH_AMERICA: Mapping[str, Any] = json.loads(
    files("sandbox").joinpath("avatax", "data", "north_america.json").read_text()
)

# ISO 3166-1 alpha-2, with XI (Northern Ireland) and XK (Kosovo) as VAT tables use them.
_COUNTRY_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS XI XK YE YT ZA ZM ZW
"""
_COUNTRIES = frozenset(_COUNTRY_CODES.split())
_COUNTRY_NAMES = {"USA": "US", "UNITED STATES": "US", "CAN": "CA", "CANADA": "CA", "GBR": "GB", "UNITED KINGDOM": "GB"}
_ZIP = re.compile(r"(\d{5})(-?\d{4})?")
_CANADIAN_CODE = re.compile(r"[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d")


@dataclass(frozen=True, slots=True)
class Place:
    """A postal address, as far as tax cares."""

    line1: str = ""
    line2: str = ""
    line3: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    postal_code: str = ""


def expand_ranges(ranges: list[str]) -> frozenset[str]:
    """Return the three-digit prefixes that ranges such as `100-149` cover."""
    prefixes: set[str] = set()
    for part in ranges:
        first, _, last = part.partition("-")
        prefixes.update(f"{number:03}" for number in range(int(first), int(last or first) + 1))
    return frozenset(prefixes)


_STATE_OF_ZIP3 = {
    prefix: state for state, facts in NORTH_AMERICA["us"].items() for prefix in expand_ranges(facts["zip3"])
}
_PROVINCES_OF_LETTER: dict[str, list[str]] = {}
for _province, _facts in NORTH_AMERICA["ca"]["provinces"].items():
    for _letter in _facts["postal"]:
        _PROVINCES_OF_LETTER.setdefault(_letter, []).append(_province)
_REGION_NAMES = {
    "US": {facts["name"].upper(): code for code, facts in NORTH_AMERICA["us"].items()},
    "CA": {facts["name"].upper(): code for code, facts in NORTH_AMERICA["ca"]["provinces"].items()},
}


def country_code(text: str) -> str | None:
    """Return the alpha-2 code of a country, US when none is given, None when there is no such country."""
    upper = text.strip().upper() or "US"
    upper = _COUNTRY_NAMES.get(upper, upper)
    return upper if upper in _COUNTRIES else None


def region_code(country: str, text: str) -> str | None:
    """Return the code of a state or province, empty when none is given, None when there is no such region."""
    upper = text.strip().upper()
    names = _REGION_NAMES.get(country)
    if names is None or not upper:
        return upper
    return upper if upper in names.values() else names.get(upper)


def regions_of_postal_code(country: str, postal_code: str) -> list[str] | None:
    """Return the regions that a US or Canadian postal code may lie in; None when it is no such code."""
    text = postal_code.strip().upper()
    if country == "US":
        match = _ZIP.fullmatch(text)
        state = _STATE_OF_ZIP3.get(match[1][:3]) if match else None
        return None if state is None else [state]
    if not _CANADIAN_CODE.fullmatch(text):
        return None
    return _PROVINCES_OF_LETTER.get(text[0])
