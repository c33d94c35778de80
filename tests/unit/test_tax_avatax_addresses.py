"""What is believed of AvaTax's answers about addresses."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tax_svc.adapters import avatax_addresses
from tax_svc.adapters.avatax_json import Malformed
from tax_svc.domain.resolution import Remark, Resolution
from tests.fakes.tax_samples import SAN_FRANCISCO

ASKED = replace(SAN_FRANCISCO, line2="")
RESOLVED = {"line1": "1 Market St", "city": "San Francisco", "region": "CA", "country": "US", "postalCode": "94105"}


def resolution(**more: object) -> Resolution:
    return avatax_addresses.resolution(json.dumps({"validatedAddresses": [RESOLVED], **more}).encode(), ASKED)


def message(refers_to: object, severity: str = "Error") -> dict[str, object]:
    return {"summary": "Look here", "details": "At length", "refersTo": refers_to, "severity": severity}


def test_an_address_without_remarks_is_as_it_was() -> None:
    assert resolution() == Resolution(ASKED, ())
    assert resolution(messages=[], validatedAddresses=[{**RESOLVED, "line2": None, "line3": ""}]).address == ASKED


@pytest.mark.parametrize(
    ("refers_to", "part"),
    [
        ("Address.Line0", "line1"),
        ("Address.Line1", "line2"),
        ("Address.City", "locality"),
        ("Address.Region", "administrative_area"),
        ("Address.PostalCode", "postal_code"),
        ("Address.Zip", "postal_code"),
        ("Address.Country", "region_code"),
        ("address", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_remark_is_about_a_part_by_our_name(refers_to: object, part: str) -> None:
    assert resolution(messages=[message(refers_to)]) == Resolution(None, (Remark(part, "Look here", is_error=True),))


@pytest.mark.parametrize("severity", ["Warning", "Success", ""])
def test_what_is_no_error_leaves_the_address_valid(severity: str) -> None:
    found = resolution(messages=[message("Address.City", severity)])

    assert (found.is_valid(), found.address) == (True, ASKED)
    assert [each.is_error for each in found.remarks] == [False]


def test_an_address_that_is_nowhere_is_invalid() -> None:
    assert not resolution(validatedAddresses=[]).is_valid()


@pytest.mark.parametrize(
    "wrong",
    [{"messages": {"a": 1}}, {"messages": [1]}, {"validatedAddresses": [1]}, {"validatedAddresses": [{"city": 1}]}],
)
def test_an_answer_about_an_address_that_makes_no_sense_is_not_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        resolution(**wrong)
