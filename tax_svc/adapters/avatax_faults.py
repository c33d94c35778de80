"""What AvaTax's error answers mean for us. Read leniently: some of them lack the fields that others have."""

from dataclasses import dataclass

import orjson

from tax_svc.app import AddressRejected, Rejection, SaleRejected

# Codes of developer.avalara.com/avatax/errors that mean that the ship-to address cannot be placed, and the field of
# ours that each is about. Nothing of these is ever taxed by guess.
_ADDRESS_CODES = {
    "InvalidZipForStateError": "postal_code",
    "ZipNotValidError": "postal_code",
    "PostalCodeError": "postal_code",
    "PostalCodeException": "postal_code",
    "InvalidPostalCode": "postal_code",
    "RegionCodeError": "administrative_area",
    "CountryError": "region_code",
    "UnsupportedCountryError": "region_code",
    "AddressRangeError": "line1",
    "AddressError": "",
    "AddressIncomplete": "",
    "AddressLocationNotFound": "",
    "AddressNotGeocodedError": "",
    "InsufficientAddressError": "",
    "InvalidAddress": "",
    "JurisdictionNotFoundError": "",
    "MissingAddress": "",
    "NotEnoughAddressesInfo": "",
    "TaxAddressError": "",
}

_DESCRIPTIONS = {
    "postal_code": "is not valid for this state and country; check both",
    "administrative_area": "is not a state or province of this country; use its ISO 3166-2 suffix, like CA",
    "region_code": "is not a country that tax can be worked out for; check it",
    "line1": "has a street number that does not exist there; check it",
    "": "cannot be placed; check street, city, state and postal code",
}

# A document of that code is committed already: the command was carried out before.
RECORDED_CODES = frozenset({"DocStatusError", "TransactionAlreadyExists", "DuplicateEntry"})

# Our own settings are wrong: no buyer can mend that, and no order should wait for it.
_SETTING_CODES = frozenset(
    {
        "AccountInvalidException",
        "CompanyInvalidException",
        "CompanyNotFoundError",
        "InactiveCompanyError",
        "ServerConfiguration",
    }
)

_BAD_REQUEST = 400
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """AvaTax refuses our account, key or company code."""

    code: str


@dataclass(frozen=True, slots=True)
class Failing:
    """AvaTax itself is in trouble, or something in between is."""


Fault = Rejection | Misconfigured | Failing


def fault(status: int, body: bytes) -> Fault:
    """Return what an answer other than 2xx means."""
    codes = _codes(body)
    main = codes[0] if codes else f"http {status}"
    if status in {_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND} or _SETTING_CODES.intersection(codes):
        return Misconfigured(main)
    if status != _BAD_REQUEST or not codes:
        return Failing()
    parts = [_ADDRESS_CODES[code] for code in codes if code in _ADDRESS_CODES]
    if parts:
        part = max(parts, key=bool)  # the first that says more than "the address"
        return AddressRejected(part, _DESCRIPTIONS[part])
    recorded = [code for code in codes if code in RECORDED_CODES]
    return SaleRejected((recorded or codes)[-1])


def _codes(body: bytes) -> list[str]:
    """Return every code in the answer, from the general to the particular."""
    try:
        error = orjson.loads(body)["error"]
        details = [detail for detail in error.get("details") or () if isinstance(detail, dict)]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return []
    found = [error.get("code")]
    for name in ("code", "faultCode", "faultSubCode"):
        found += [detail.get(name) for detail in details]
    # "Client" and "Server" say whose fault it is, and nothing else.
    return [code for code in found if isinstance(code, str) and code not in {"", "Client", "Server"}]
