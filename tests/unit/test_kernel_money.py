"""Money: exact, in one currency, with the digits that ISO 4217 gives it."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import CurrencyMismatch, Money, UnknownCurrency, exponent

CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD", "CLP", "BHD", "CHF", "ISK"])
MINOR_UNITS = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("currency_code", "digits"),
    [
        *((code, 2) for code in ("EUR", "USD", "GBP", "CHF", "PLN", "MXN", "XCG", "SLE", "ZWG", "MRU", "MGA", "VED")),
        *((code, 0) for code in ("JPY", "KRW", "ISK", "CLP", "VND", "XOF", "XAF", "XPF", "UGX", "PYG")),
        *((code, 3) for code in ("BHD", "KWD", "OMR", "JOD", "TND", "IQD", "LYD")),
    ],
)
def test_the_digits_are_those_of_iso_4217(currency_code: str, digits: int) -> None:
    assert exponent(currency_code) == digits


@pytest.mark.parametrize("code", ["", "eur", "EURO", "EU", "XXX", "XTS", "XAU", "HRK", "ZZZ", "€", "EUR "])
def test_a_code_that_nobody_pays_with_is_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency, match="ISO 4217"):
        Money(code, 1)


@given(MINOR_UNITS, CURRENCIES)
def test_money_survives_the_way_to_a_decimal_and_back(minor_units: int, currency_code: str) -> None:
    money = Money(currency_code, minor_units)

    assert Money.from_decimal(money.to_decimal(), currency_code) == money


@given(MINOR_UNITS, CURRENCIES)
def test_a_decimal_has_exactly_the_currencys_digits(minor_units: int, currency_code: str) -> None:
    decimal = Money(currency_code, minor_units).to_decimal()

    assert decimal.as_tuple().exponent == -exponent(currency_code)


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6), CURRENCIES)
def test_a_decimal_is_rounded_half_to_even_and_by_less_than_one_unit(amount: Decimal, currency_code: str) -> None:
    money = Money.from_decimal(amount, currency_code)

    unit = Decimal(1).scaleb(-exponent(currency_code))
    assert money.to_decimal() == amount.quantize(unit, rounding=ROUND_HALF_EVEN)
    assert abs(money.to_decimal() - amount) * 2 <= unit


@given(st.lists(MINOR_UNITS, max_size=20), CURRENCIES)
def test_a_sum_is_exact(amounts: list[int], currency_code: str) -> None:
    total = Money.total((Money(currency_code, each) for each in amounts), currency_code)

    assert total == Money(currency_code, sum(amounts))


@given(MINOR_UNITS, MINOR_UNITS, st.integers(0, 100_000))
def test_arithmetic_is_that_of_whole_numbers(left: int, right: int, count: int) -> None:
    assert Money("EUR", left) + Money("EUR", right) - Money("EUR", right) == Money("EUR", left)
    assert Money("EUR", left) * count == Money.total([Money("EUR", left * count)], "EUR")


def test_currencies_never_mix() -> None:
    euro, yen = Money("EUR", 1), Money("JPY", 1)

    with pytest.raises(CurrencyMismatch, match="EUR and JPY"):
        euro + yen
    with pytest.raises(CurrencyMismatch, match="JPY and EUR"):
        yen - euro
    with pytest.raises(CurrencyMismatch):
        Money.total([euro], "JPY")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money("EUR", 1099), "10.99 EUR"),
        (Money("EUR", -5), "-0.05 EUR"),
        (Money("JPY", 1099), "1099 JPY"),
        (Money("KWD", 1), "0.001 KWD"),
        (Money.zero("EUR"), "0.00 EUR"),
    ],
)
def test_it_reads_as_a_person_writes_it(money: Money, text: str) -> None:
    assert str(money) == text
