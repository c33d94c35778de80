"""The fallback rate, and how a tax is spread over lines without losing a minor unit."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.address import Address
from kernel.money import Money
from tax_svc.domain.fallback import FallbackRates, spread
from tax_svc.domain.quote import Source
from tests.fakes.tax_samples import BERLIN, SAN_FRANCISCO, basis

EIGHT_PERCENT = FallbackRates(Decimal("0.08"))
AMOUNTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=30)
RATES = st.decimals("0", "1", places=5)


@given(AMOUNTS, RATES)
def test_the_lines_add_up_to_the_rate_times_the_subtotal(amounts: list[int], rate: Decimal) -> None:
    quote = FallbackRates(rate).quote(basis(*amounts))

    exact = rate * sum(amounts)
    assert quote.total_tax.minor_units == int(exact.to_integral_value(ROUND_HALF_EVEN))
    assert sum(line.tax.minor_units for line in quote.lines) == quote.total_tax.minor_units


@given(AMOUNTS, RATES)
def test_no_line_is_off_its_own_tax_by_a_whole_minor_unit(amounts: list[int], rate: Decimal) -> None:
    quote = FallbackRates(rate).quote(basis(*amounts))

    for line, amount in zip(quote.lines, amounts, strict=True):
        assert abs(line.tax.minor_units - rate * amount) < 1


@given(AMOUNTS, RATES)
def test_nothing_is_taxed_below_zero(amounts: list[int], rate: Decimal) -> None:
    assert all(line.tax.minor_units >= 0 for line in FallbackRates(rate).quote(basis(*amounts)).lines)


def test_many_small_lines_cost_what_one_large_one_does() -> None:
    # Rounded line by line, ten times 0.036 would be 0.40.
    assert EIGHT_PERCENT.quote(basis(*[45] * 10)).total_tax == Money("USD", 36)


@pytest.mark.parametrize(
    ("amount", "tax"), [(1999, 160), (1006, 80), (1018, 81), (0, 0), (50, 4), (6, 0), (10**15, 8 * 10**13)]
)
def test_eight_percent_of_one_line_is_rounded_to_the_nearest_cent(amount: int, tax: int) -> None:
    assert EIGHT_PERCENT.quote(basis(amount)).total_tax.minor_units == tax


def test_a_half_is_rounded_to_the_even_side() -> None:
    half = FallbackRates(Decimal("0.5"))

    assert [half.quote(basis(amount)).total_tax.minor_units for amount in (1, 3, 5, 7)] == [0, 2, 2, 4]


def test_a_currency_without_digits_is_taxed_in_whole_units() -> None:
    quote = EIGHT_PERCENT.quote(basis(500, currency_code="JPY"))

    assert quote.total_tax == Money("JPY", 40)


def test_the_quote_says_that_it_is_a_fallback_and_names_the_lines_in_order() -> None:
    quote = EIGHT_PERCENT.quote(basis(100, 200, 300))

    assert quote.source is Source.FALLBACK
    assert [line.line_id for line in quote.lines] == ["line-1", "line-2", "line-3"]
    assert all(line.jurisdictions == () for line in quote.lines)


def test_the_unit_that_is_over_goes_to_the_line_that_lost_most() -> None:
    assert spread([Decimal("0.2"), Decimal("0.7"), Decimal("0.6")]) == [0, 1, 1]
    assert spread([Decimal("0.5"), Decimal("0.5"), Decimal("0.5")]) == [1, 1, 0]


@pytest.mark.parametrize(
    ("address", "rate"),
    [
        (BERLIN, "0.19"),
        (SAN_FRANCISCO, "0.0725"),
        (Address("1 Main St", "", "Austin", "TX", "78701", "US"), "0.06"),
        (Address("1 High St", "", "London", "", "EC4M 7LS", "GB"), "0.08"),
    ],
)
def test_the_narrowest_region_that_has_a_rate_decides(address: Address, rate: str) -> None:
    rates = FallbackRates(Decimal("0.08"), {"DE": Decimal("0.19"), "US": Decimal("0.06"), "US-CA": Decimal("0.0725")})

    assert rates.rate_for(address) == Decimal(rate)
