"""What AvaTax's error answers mean for us. Read leniently: some of them lack the fields that others have."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tax_svc.app.ports import AddressRejected, Rejection, SaleRejected

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

# Fields of AvaTax's addresses, and ours.
ADDRESS_FIELDS = {
    "line1": "line1",
    "line2": "line2",
    "line3": "line2",
    "city": "locality",
    "region": "administrative_area",
    "postalCode": "postal_code",
    "country": "region_code",
}
_TOO_LONG = "StringLengthError"
_TOO_LONG_DESCRIPTION = "is longer than AvaTax takes; shorten it"
_FIELD = re.compile(r"Field '(?:[\w\[\]]+\.)*(?P<name>\w+)'")

# A document of that code is committed already: the command was carried out before.
RECORDED_CODES = frozenset({"DocStatusError", "TransactionAlreadyExists", "DuplicateEntry"})

# There is no document of that code; 404 says the same of a company that does not exist, which is another matter.
MISSING_CODE = "EntityNotFoundError"

# The document is void already: the command was carried out before.
VOIDED_CODE = "TransactionAlreadyCancelled"

# It was reported to the authorities.
LOCKED_CODES = frozenset({"CannotModifyLockedTransaction", "TransactionLocked", "CannotModifyReportedTransaction"})

# AvaTax's own troubles, although it says 400.
_FAILING_CODES = frozenset({"TimeoutRequested", "ServerUnreachable", "UnhandledException"})

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

_CODE_FIELDS = ("code", "faultCode", "faultSubCode")

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
    error = _error(body)
    codes = list(_codes(error))
    main = codes[0] if codes else f"http {status}"
    if status == _NOT_FOUND and main == MISSING_CODE and _is_about_a_document(error):
        return SaleRejected(MISSING_CODE)
    if status in {_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND} or _SETTING_CODES.intersection(codes):
        return Misconfigured(main)
    if status != _BAD_REQUEST or not codes or _FAILING_CODES.intersection(codes):
        return Failing()
    return _address_fault(error, codes) or _sale_fault(codes)


def _address_fault(error: Mapping[str, Any], codes: list[str]) -> AddressRejected | None:
    parts = [_ADDRESS_CODES[code] for code in codes if code in _ADDRESS_CODES]
    if parts:
        part = max(parts, key=bool)  # the first that says more than "the address"
        return AddressRejected(part, _DESCRIPTIONS[part])
    for detail in _details(error):
        named = _FIELD.search(str(detail.get("message", ""))) if detail.get("code") == _TOO_LONG else None
        if named and named["name"] in ADDRESS_FIELDS:
            return AddressRejected(ADDRESS_FIELDS[named["name"]], _TOO_LONG_DESCRIPTION)
    return None


def _sale_fault(codes: list[str]) -> SaleRejected:
    telling = [code for code in codes if code in {*RECORDED_CODES, *LOCKED_CODES, VOIDED_CODE}]
    return SaleRejected((telling or codes)[-1])


def _is_about_a_document(error: Mapping[str, Any]) -> bool:
    return str(error.get("message", "")).startswith("Transaction")


def _error(body: bytes) -> Mapping[str, Any]:
    """Return what the answer says went wrong; nothing when it is none of AvaTax's."""
    try:
        error = orjson.loads(body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _details(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = error.get("details")
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _codes(error: Mapping[str, Any]) -> Iterator[str]:
    """Yield every code in the answer, from the general to the particular."""
    details = _details(error)
    found = [error.get("code"), *(detail.get(name) for name in _CODE_FIELDS for detail in details)]
    # "Client" and "Server" say whose fault it is, and nothing else.
    yield from (code for code in found if isinstance(code, str) and code not in {"", "Client", "Server"})
