"""What AvaTax's error answers mean: the buyer's fault, ours, or its own."""

import json
from typing import Any

import pytest

from tax_svc.adapters.avatax_faults import Failing, Misconfigured, fault
from tax_svc.app.ports import AddressRejected, SaleRejected


def body(code: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"code": code, "message": "m", "details": list(details)}}).encode()


def get_tax_error(sub_code: str) -> bytes:
    """Return a calculation error in the shape of a real one."""
    each = {
        "code": "GetTaxError",
        "number": 300,
        "message": "Tax calculation cannot be determined.",
        "faultCode": "GetTaxError",
        "faultSubCode": sub_code,
        "refersTo": 'Addresses[1]; Line["1"] : PA 00000',
        "severity": "Error",
    }
    return body("GetTaxError", each, each)


@pytest.mark.parametrize(
    ("sub_code", "part"),
    [
        ("InvalidZipForStateError", "postal_code"),
        ("ZipNotValidError", "postal_code"),
        ("PostalCodeError", "postal_code"),
        ("RegionCodeError", "administrative_area"),
        ("CountryError", "region_code"),
        ("UnsupportedCountryError", "region_code"),
        ("AddressRangeError", "line1"),
        ("JurisdictionNotFoundError", ""),
        ("TaxAddressError", ""),
    ],
)
def test_a_bad_address_is_the_buyers_and_names_the_field(sub_code: str, part: str) -> None:
    meaning = fault(400, get_tax_error(sub_code))

    assert isinstance(meaning, AddressRejected)
    assert meaning.part == part
    assert "00000" not in meaning.description


def test_the_most_particular_field_is_named() -> None:
    mixed = body("InvalidAddress", {"code": "InvalidAddress"}, {"code": "GetTaxError", "faultSubCode": "CountryError"})

    meaning = fault(400, mixed)

    assert isinstance(meaning, AddressRejected)
    assert meaning.part == "region_code"


def test_a_missing_address_is_the_buyers_without_a_sub_code() -> None:
    assert isinstance(fault(400, body("NotEnoughAddressesInfo")), AddressRejected)


def test_a_document_that_is_committed_already_is_told_by_its_code() -> None:
    assert fault(400, get_tax_error("DocStatusError")) == SaleRejected("DocStatusError")


def test_anything_else_that_it_refuses_is_named() -> None:
    client = {"code": "MissingLine", "number": 311, "faultCode": "Client"}

    assert fault(400, body("MissingLine", client)) == SaleRejected("MissingLine")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_our_settings_did_is_told_apart(status: int) -> None:
    assert fault(status, body("AuthenticationException")) == Misconfigured("AuthenticationException")
    assert fault(status, b"<html>") == Misconfigured(f"http {status}")


def test_an_unknown_company_is_our_setting_whatever_the_status() -> None:
    assert isinstance(fault(400, get_tax_error("CompanyNotFoundError")), Misconfigured)


@pytest.mark.parametrize("status", [301, 408, 429, 500, 502, 503, 504])
def test_every_other_status_is_its_own_trouble(status: int) -> None:
    assert isinstance(fault(status, body("UnhandledException")), Failing)


@pytest.mark.parametrize(
    "answer",
    [b"", b"Bad request", b"[]", b"{}", b'{"error": null}', b'{"error": "x"}', b'{"error": {"details": [null, 3]}}'],
)
def test_a_refusal_that_is_not_avataxs_comes_from_something_in_between(answer: bytes) -> None:
    assert isinstance(fault(400, answer), Failing)


def test_a_missing_document_is_told_from_a_missing_company() -> None:
    missing = json.dumps({"error": {"code": "EntityNotFoundError", "message": "Transaction not found."}}).encode()
    company = json.dumps({"error": {"code": "EntityNotFoundError", "message": "Company not found."}}).encode()

    assert fault(404, missing) == SaleRejected("EntityNotFoundError")
    assert fault(404, company) == Misconfigured("EntityNotFoundError")


@pytest.mark.parametrize("code", ["TransactionAlreadyCancelled", "CannotModifyLockedTransaction"])
def test_a_document_that_cannot_be_voided_says_why(code: str) -> None:
    assert fault(400, body(code, {"code": code, "faultCode": "Client"})) == SaleRejected(code)


@pytest.mark.parametrize("code", ["TimeoutRequested", "ServerUnreachable", "UnhandledException"])
def test_its_own_trouble_is_its_own_whatever_the_status(code: str) -> None:
    assert fault(400, body(code, {"code": code})) == Failing()


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("postalCode", "postal_code"),
        ("city", "locality"),
        ("addresses.shipTo.line1", "line1"),
        ("lines[3].addresses.shipTo.region", "administrative_area"),
        ("country", "region_code"),
    ],
)
def test_a_part_of_an_address_that_is_too_long_is_the_buyers(field: str, part: str) -> None:
    detail = {"code": "StringLengthError", "message": f"Field '{field}' has an invalid length."}

    meaning = fault(400, body("StringLengthError", detail))

    assert isinstance(meaning, AddressRejected)
    assert meaning.part == part


def test_anything_else_that_is_too_long_is_ours() -> None:
    detail = {"code": "StringLengthError", "message": "Field 'purchaseOrderNo' has an invalid length."}

    assert fault(400, body("StringLengthError", detail)) == SaleRejected("StringLengthError")
