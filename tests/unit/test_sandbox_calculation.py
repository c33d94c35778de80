"""The tax arithmetic, against figures that AvaTax itself has given, and its sums."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.avatax.calculation import Line, calculate
from sandbox.avatax.places import Place
from sandbox.avatax.rates import Rates, rates_at

_ZERO = Decimal(0)
PHILADELPHIA = rates_at(Place(region="PA", country="US", postal_code="19147"))


def line(amount: str, **more: object) -> Line:
    return Line(**{"number": "1", "amount": Decimal(amount), "rates": PHILADELPHIA, **more})  # type: ignore[arg-type]  # test data by name


@pytest.mark.parametrize(
    ("gross", "net", "tax"),
    [("40.0", "37.04", "2.96"), ("30.0", "27.77", "2.23"), ("5.0", "4.63", "0.37"), ("10.0", "9.25", "0.75")],
)
def test_tax_is_worked_back_out_of_a_gross_price(gross: str, net: str, tax: str) -> None:
    [result] = calculate([line(gross, tax_included=True)], digits=2)

    assert (result.amount, result.charged) == (Decimal(net), Decimal(tax))


@pytest.mark.parametrize(
    ("amount", "state", "county"), [("10.0", "0.60", "0.20"), ("-10.0", "-0.60", "-0.20"), ("0.55", "0.03", "0.01")]
)
def test_each_jurisdiction_rounds_for_itself(amount: str, state: str, county: str) -> None:
    [result] = calculate([line(amount)], digits=2)

    assert [detail.charged for detail in result.details] == [Decimal(state), Decimal(county)]


def test_exempt_and_untaxed_goods_bear_no_tax() -> None:
    exempt, untaxed = calculate([line("10", exempt=True), line("10", taxable=False)], digits=2)

    for result in (exempt, untaxed):
        assert (result.charged, result.taxable, result.exempt) == (_ZERO, _ZERO, Decimal(10))
    assert [detail.exempt for detail in exempt.details] == [10, 10]
    assert [detail.non_taxable for detail in untaxed.details] == [10, 10]


def test_where_nothing_is_levied_nothing_is_taxable() -> None:
    [result] = calculate([line("10", rates=Rates((), estimated=False))], digits=2)

    assert (result.charged, result.taxable, result.exempt) == (_ZERO, _ZERO, Decimal(10))


def test_a_discount_is_spread_over_the_discounted_lines() -> None:
    first, second, third = calculate(
        [line("10", discounted=True), line("20", discounted=True), line("30")], digits=2, discount=Decimal("3.01")
    )

    assert (first.discount, second.discount, third.discount) == (Decimal("1.00"), Decimal("2.01"), _ZERO)
    assert (first.taxable, first.amount) == (Decimal("9.00"), Decimal(10))


def test_an_overridden_tax_is_charged_and_the_true_one_still_told() -> None:
    [result] = calculate([line("10", tax_override=Decimal("1.01"))], digits=2)

    assert (result.charged, result.calculated) == (Decimal("1.01"), Decimal("0.80"))


def test_currencies_without_decimals_are_taxed_in_whole_units() -> None:
    [result] = calculate([line("1234")], digits=0)

    assert [detail.charged for detail in result.details] == [74, 25]


cents = st.integers(-10_000_000, 10_000_000).map(lambda number: Decimal(number).scaleb(-2))


@given(st.lists(cents, min_size=1, max_size=6), st.booleans(), st.sampled_from(["19147", "10001", "60601", "94105"]))
def test_details_add_up_to_lines_and_gross_prices_stay_whole(amounts: list[Decimal], included: bool, zip_: str) -> None:  # noqa: FBT001
    state = {"1": "PA", "6": "IL", "9": "CA"}[zip_[0]] if zip_ != "10001" else "NY"
    rates = rates_at(Place(region=state, country="US", postal_code=zip_))
    lines = [Line(str(n), amount, rates, tax_included=included) for n, amount in enumerate(amounts)]

    for result in calculate(lines, digits=2):
        assert result.charged == sum(detail.charged for detail in result.details)
        assert all(detail.charged == round(detail.charged, 2) for detail in result.details)
        if included:
            assert result.amount + result.charged == result.line.amount


@given(st.lists(cents, min_size=1, max_size=6), cents)
def test_an_overridden_total_is_met_to_the_cent(amounts: list[Decimal], total: Decimal) -> None:
    lines = [Line(str(n), abs(amount), PHILADELPHIA) for n, amount in enumerate(amounts)]

    results = calculate(lines, digits=2, tax_override=total)

    if any(amounts):
        assert sum(result.charged for result in results) == total
