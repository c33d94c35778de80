"""Who levies what, and which postal code lies where."""

from decimal import Decimal

import pytest
from eu_vat_rates_data import get_all_rates

from sandbox.avatax.addresses import resolve
from sandbox.avatax.errors import AvataxError
from sandbox.avatax.places import NORTH_AMERICA, Place, regions_of_postal_code
from sandbox.avatax.rates import rates_at


def total(place: Place) -> Decimal:
    return sum((tax.rate for tax in rates_at(place).taxes), Decimal(0))


@pytest.mark.parametrize("country", sorted(get_all_rates()))
def test_european_vat_is_the_packages_standard_rate(country: str) -> None:
    rates = rates_at(Place(country=country))

    facts = get_all_rates()[country]
    assert [float(tax.rate * 100) for tax in rates.taxes] == [facts["standard"]]
    assert not rates.estimated


@pytest.mark.parametrize(
    ("place", "rate"),
    [
        (Place(country="US", region="PA", postal_code="19147"), "0.08"),
        (Place(country="US", region="PA", postal_code="15201"), "0.06"),
        (Place(country="US", region="NY", postal_code="10001-0001"), "0.08875"),
        (Place(country="US", region="OR", postal_code="97201"), "0"),
        (Place(country="CA", region="ON", postal_code="M5V 3L9"), "0.13"),
        (Place(country="CA", region="QC", postal_code="H9W 5E1"), "0.14975"),
        (Place(country="CA", region="AB"), "0.05"),
        (Place(country="CA", region="NS"), "0.14"),
        (Place(country="JP"), "0"),
    ],
)
def test_known_totals(place: Place, rate: str) -> None:
    assert total(place) == Decimal(rate)


def test_north_america_is_an_estimate() -> None:
    assert rates_at(Place(country="US", region="PA")).estimated
    assert rates_at(Place(country="CA", region="ON")).estimated
    assert "ESTIMATES" in NORTH_AMERICA["note"]


def test_every_state_has_a_sensible_rate_and_zip_codes_of_its_own() -> None:
    states = NORTH_AMERICA["us"]
    assert len(states) == 51
    for code, facts in states.items():
        assert 0 <= Decimal(facts["percent"]) < 8
        first = facts["zip3"][0].partition("-")[0]
        assert regions_of_postal_code("US", f"{first}01") == [code]


def test_local_taxes_belong_to_states_that_exist() -> None:
    for local in NORTH_AMERICA["us_local"]:
        for prefix in local["zip3"]:
            assert regions_of_postal_code("US", f"{prefix.partition('-')[0]}01") == [local["region"]]


@pytest.mark.parametrize(
    ("country", "code", "regions"),
    [
        ("US", "90210", ["CA"]),
        ("US", "90210-1234", ["CA"]),
        ("US", "00000", None),
        ("US", "9021", None),
        ("CA", "H9W 5E1", ["QC"]),
        ("CA", "h9w5e1", ["QC"]),
        ("CA", "X0A 0H0", ["NT", "NU"]),
        ("CA", "H9W", None),
        ("CA", "D1A 1A1", None),
    ],
)
def test_postal_codes_know_their_region(country: str, code: str, regions: list[str] | None) -> None:
    assert regions_of_postal_code(country, code) == regions


def test_an_address_is_completed_and_checked() -> None:
    street = Place(line1="1 Main St", city="Los Angeles", postal_code="90210")

    assert resolve(street) == (Place("1 Main St", "", "", "Los Angeles", "CA", "US", "90210"), True)
    assert resolve(Place(country="canada", region="quebec", postal_code="K1A 0B1"))[1] is False
    assert resolve(Place(country="USA", region="california", postal_code="90210"))[0].region == "CA"
    assert resolve(Place(country="DE"))[1] is True
    with pytest.raises(AvataxError, match="incomplete"):
        resolve(Place(country="US", city="Los Angeles"))
