"""Amounts as Stripe counts and takes them."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kernel import money as iso
from kernel.money import Money
from payment_svc.adapters.stripe_amounts import StripeAmounts, from_stripe, multiple_of, to_stripe
from payment_svc.app.ports import AmountRefused
from sandbox.stripe.errors import StripeError
from sandbox.stripe.money import check_amount, check_currency

_CURRENCIES = sorted(iso._DIGITS)


def _charged_in(currency_code: str) -> bool:
    try:
        check_currency(currency_code)
    except StripeError:
        return False
    return True


@pytest.mark.parametrize(
    ("amount", "stripe"),
    [
        (Money("EUR", 1099), 1099),
        (Money("JPY", 500), 500),
        (Money("ISK", 5), 500),
        (Money("UGX", 5), 500),
        (Money("KWD", 1230), 1230),
        (Money("MGA", 500), 5),
        (Money("HUF", 17_550), 17_550),
        (Money("TWD", 150), 150),
    ],
)
def test_amounts_are_counted_as_stripe_counts_them(amount: Money, stripe: int) -> None:
    assert to_stripe(amount) == stripe
    assert from_stripe(stripe, amount.currency_code.lower()) == amount


@given(st.sampled_from(_CURRENCIES), st.integers(1, 10**9))
def test_an_amount_that_is_let_through_comes_back_unchanged(currency_code: str, count: int) -> None:
    amount = Money(currency_code, count * multiple_of(currency_code))

    assert from_stripe(to_stripe(amount), currency_code.lower()) == amount


@given(st.sampled_from(_CURRENCIES), st.integers(0, 99_999_999))
def test_an_amount_of_stripes_is_read_exactly_or_not_at_all(currency_code: str, amount: int) -> None:
    try:
        money = from_stripe(amount, currency_code.lower())
    except ValueError:
        assert amount % 100  # only where whole units have two decimals at Stripe
        return

    assert money.currency_code == currency_code
    assert to_stripe(money) == amount


@given(st.sampled_from([code for code in _CURRENCIES if _charged_in(code)]), st.integers(1, 10**9))
def test_in_every_currency_stripe_takes_what_is_let_through(currency_code: str, minor_units: int) -> None:
    amount = Money(currency_code, minor_units)
    assume(StripeAmounts().to_charge(amount) is None)
    # Of currencies without a minimum of their own Stripe wants the worth of half a dollar, which only it can reckon.
    assume(to_stripe(amount) >= 50)

    check_amount(to_stripe(amount), currency_code.lower())


@pytest.mark.parametrize("currency_code", [code for code in _CURRENCIES if _charged_in(code)])
def test_the_most_that_is_taken_is_told_in_every_currency(currency_code: str) -> None:
    refused = StripeAmounts().to_charge(Money(currency_code, 10**12))

    assert refused is not None
    assert refused.maximum is not None
    step = multiple_of(currency_code)
    most = Money(currency_code, refused.maximum // step * step)
    assert StripeAmounts().to_charge(most) is None
    assert to_stripe(most) <= 99_999_999 < to_stripe(most + Money(currency_code, step))


@given(st.sampled_from([code for code in _CURRENCIES if _charged_in(code)]), st.integers(1, 10**9))
def test_what_is_let_through_is_within_stripes_bounds(currency_code: str, minor_units: int) -> None:
    amount = Money(currency_code, minor_units)
    assume(StripeAmounts().to_charge(amount) is None)

    assert 1 <= to_stripe(amount) <= 99_999_999


@given(st.sampled_from(["EUR", "JPY", "GBP", "SEK", "HUF", "CZK", "HKD", "MXN", "DKK"]), st.integers(1, 10**9))
def test_our_bounds_are_the_sandboxs(currency_code: str, minor_units: int) -> None:
    amount = Money(currency_code, minor_units)
    taken = True
    try:
        check_amount(to_stripe(amount), currency_code.lower())
    except StripeError:
        taken = False

    assert (StripeAmounts().to_charge(amount) is None) is taken


@pytest.mark.parametrize(
    ("amount", "refused"),
    [
        (Money("USD", 49), AmountRefused(minimum=50)),
        (Money("GBP", 29), AmountRefused(minimum=30)),
        (Money("JPY", 49), AmountRefused(minimum=50)),
        (Money("DKK", 249), AmountRefused(minimum=250)),
        (Money("HUF", 17_499), AmountRefused(minimum=17_500)),
        (Money("EUR", 0), AmountRefused(minimum=50)),
        (Money("EUR", -1), AmountRefused(minimum=50)),
        (Money("KWD", 0), AmountRefused(minimum=10)),
        (Money("ISK", 0), AmountRefused(minimum=1)),
        (Money("EUR", 100_000_000), AmountRefused(maximum=99_999_999)),
        (Money("ISK", 1_000_000), AmountRefused(maximum=999_999)),
        (Money("MGA", 10_000_000_000), AmountRefused(maximum=9_999_999_900)),
        (Money("KWD", 1001), AmountRefused(multiple=10)),
        (Money("MGA", 150), AmountRefused(multiple=100)),
    ],
)
def test_what_stripe_does_not_take_is_told_with_the_bound(amount: Money, refused: AmountRefused) -> None:
    assert StripeAmounts().to_charge(amount) == refused


@pytest.mark.parametrize(
    "amount",
    [
        Money("USD", 50),
        Money("EUR", 99_999_999),
        Money("KWD", 10),
        Money("ISK", 1),
        Money("SEK", 300),
        Money("MGA", 100),
    ],
)
def test_the_bounds_themselves_are_taken(amount: Money) -> None:
    assert StripeAmounts().to_charge(amount) is None


def test_a_refund_has_no_minimum_but_the_same_steps() -> None:
    assert StripeAmounts().to_refund(Money("EUR", 1)) is None
    assert StripeAmounts().to_refund(Money("KWD", 5)) == AmountRefused(multiple=10)


@pytest.mark.parametrize(("amount", "currency"), [(550, "isk"), (100, "xyz"), (100, "")])
def test_an_amount_that_cannot_be_read_is_not_guessed(amount: int, currency: str) -> None:
    with pytest.raises(ValueError, match="is"):
        from_stripe(amount, currency)
