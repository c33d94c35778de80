"""Codes of returns, what may be given back, taxes inside prices, and remarks on addresses."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import Money
from tax_svc.domain.document import return_code
from tax_svc.domain.fallback import FallbackRates, contained
from tax_svc.domain.giveback import Wrong, returned
from tax_svc.domain.resolution import Remark, Resolution, changes
from tests.fakes.tax_samples import SAN_FRANCISCO, basis, order_id

ORDER = order_id()
KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)
RATES = st.decimals("0", "1", places=5)
AMOUNTS = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=30)


@pytest.mark.parametrize(("number", "code"), [("1", "-r1"), ("42", "-r42"), ("0", "-r0"), ("999999999", "-r999999999")])
def test_a_numbered_refund_is_called_by_its_number(number: str, code: str) -> None:
    assert return_code(ORDER, "order", f"{ORDER}:refund:{number}") == f"{ORDER}{code}"


@given(KEYS)
def test_any_other_key_makes_a_code_that_avatax_takes(key: str) -> None:
    code = return_code(ORDER, "somebody", key)

    assert re.fullmatch(r"[A-Za-z0-9-]{50}", code)
    assert code.startswith(ORDER)
    assert code == return_code(ORDER, "somebody", key)


def test_two_refunds_never_share_a_code() -> None:
    other = order_id()
    keys = ["a", "b", "A", f"{ORDER}:refund:", f"{ORDER}:refund:01", f"{other}:refund:1", f"{ORDER}:refund:1"]
    codes = {return_code(order, caller, key) for order in (ORDER, other) for caller in ("x", "y") for key in keys}

    # Of those with a number, who asks does not matter: they are the order's own.
    assert len(codes) == 2 * (2 * len(keys) - 1)


PRICE = basis(1000).lines[0]
DISCOUNT = basis(1000, -300).lines[1]


def usd(units: int) -> Money:
    return Money("USD", units)


def test_a_part_or_all_of_a_line_is_given_back() -> None:
    assert returned(PRICE, usd(0), usd(80), with_tax=False).tax == usd(80)
    assert returned(PRICE, usd(1000), usd(80), with_tax=False).amount == usd(1000)
    assert returned(PRICE, usd(920), usd(80), with_tax=True).amount == usd(920)
    assert returned(DISCOUNT, usd(-300), usd(-24), with_tax=False).amount == usd(-300)


@pytest.mark.parametrize(
    ("line", "amount", "tax", "with_tax", "field"),
    [
        (PRICE, -1, 0, False, "amount"),
        (PRICE, 1, -1, False, "tax"),
        (PRICE, 1001, 0, False, "amount"),
        (PRICE, 921, 80, True, "amount"),
        (DISCOUNT, 1, 0, False, "amount"),
        (DISCOUNT, -1, 1, False, "tax"),
        (DISCOUNT, -301, 0, False, "amount"),
    ],
)
def test_what_was_not_sold_is_not_given_back(
    line: object,
    amount: int,
    tax: int,
    with_tax: bool,  # noqa: FBT001  (pytest passes it by name)
    field: str,
) -> None:
    with pytest.raises(Wrong) as wrong:
        returned(line, usd(amount), usd(tax), with_tax=with_tax)  # type: ignore[arg-type]  # a BasisLine

    assert wrong.value.field == field


@given(AMOUNTS, RATES)
def test_a_tax_inside_a_price_is_what_the_rounded_net_leaves(gross: list[int], rate: Decimal) -> None:
    for price, tax in zip(gross, contained(gross, rate), strict=True):
        net = price - tax
        assert tax * price >= 0
        # The net is no further than half a unit from price / (1 + rate), without a division that could round.
        assert abs(2 * (net * (1 + rate) - price)) <= 1 + rate


@given(AMOUNTS.filter(lambda amounts: sum(amounts) >= 0), RATES, st.booleans())
def test_an_estimate_adds_up_with_discounts_too(
    amounts: list[int],
    rate: Decimal,
    included: bool,  # noqa: FBT001  (hypothesis passes it by place)
) -> None:
    quote = FallbackRates(rate).quote(basis(*amounts, prices_include_tax=included))

    assert sum(line.tax.minor_units for line in quote.lines) == quote.total_tax.minor_units
    assert all(line.tax.minor_units * amount >= 0 for line, amount in zip(quote.lines, amounts, strict=True))


def test_what_avatax_said_about_75_dollars_with_8_percent_inside_is_estimated_alike() -> None:
    # A recorded answer: 37.04 + 2.96, 27.77 + 2.23, 4.63 + 0.37. It rounds by authority, which moves a cent.
    assert contained([4000, 3000, 500], Decimal("0.08")) == [296, 222, 37]


@pytest.mark.parametrize(("currency_code", "gross", "tax"), [("JPY", 1080, 80), ("KWD", 10_800, 800), ("EUR", 119, 9)])
def test_every_currency_is_estimated_in_its_own_units(currency_code: str, gross: int, tax: int) -> None:
    quote = FallbackRates(Decimal("0.08")).quote(basis(gross, currency_code=currency_code, prices_include_tax=True))

    assert quote.total_tax == Money(currency_code, tax)


def test_an_estimate_taxes_exempt_buyers_like_everybody() -> None:
    exempt = replace(basis(1000), exemption_number="EX-1", entity_use_code="A")

    assert FallbackRates(Decimal("0.08")).quote(exempt).total_tax == usd(80)


def test_capitals_and_blanks_change_no_address() -> None:
    shouted = replace(SAN_FRANCISCO, line1="1  MARKET ST", locality="SAN FRANCISCO")

    assert changes(SAN_FRANCISCO, shouted) == ()
    assert [each.part for each in changes(SAN_FRANCISCO, replace(shouted, postal_code="94105-1420"))] == ["postal_code"]


def test_an_address_is_valid_when_it_has_a_place_and_no_error() -> None:
    warning, error = Remark("", "w", is_error=False), Remark("", "e", is_error=True)

    assert Resolution(SAN_FRANCISCO, (warning,)).is_valid()
    assert not Resolution(SAN_FRANCISCO, (error,)).is_valid()
    assert not Resolution(None, ()).is_valid()
