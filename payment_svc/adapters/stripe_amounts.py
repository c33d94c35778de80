"""Amounts as Stripe counts them, and which ones it takes.

Stripe's smallest unit is the minor unit of ISO 4217 but for three currencies. From its page on currencies, which also
gives the minimum charges; read for API version 2026-10-28.
"""

from kernel.money import Money, exponent
from payment_svc.app.ports import AmountRefused

# Where Stripe's number of decimals is not ISO 4217's. ISK and UGX kept two decimals there, which must be 00; of MGA
# whole ariary are charged.
_DECIMALS = {"ISK": 2, "UGX": 2, "MGA": 0}

# Three decimals, the last of which must be 0, because card networks settle two.
_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

# "At most eight digits."
_MAXIMUM = 99_999_999

# The least that can be charged, in ISO minor units. Of other currencies Stripe wants the worth of 0.50 USD, which it
# reckons itself and refuses itself. HUF and TWD are charged with two decimals; only payouts are in whole units.
_MINIMUM = {
    **dict.fromkeys(("USD", "EUR", "AUD", "CAD", "CHF", "NZD", "SGD", "BRL", "INR", "JPY"), 50),
    **dict.fromkeys(("AED", "MYR", "PLN", "RON"), 200),
    **dict.fromkeys(("MXN", "THB"), 1_000),
    **dict.fromkeys(("NOK", "SEK"), 300),
    "CZK": 1_500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17_500,
}


class StripeAmounts:
    """What amounts Stripe takes, known without asking it."""

    def to_charge(self, amount: Money) -> AmountRefused | None:
        """Return what is wrong with charging the amount."""
        currency_code, minor_units = amount.currency_code, amount.minor_units
        minimum = _MINIMUM.get(currency_code, multiple_of(currency_code))
        if minor_units < minimum:
            return AmountRefused(minimum=minimum)
        if to_stripe(amount) > _MAXIMUM:
            return AmountRefused(maximum=_to_iso(_MAXIMUM, currency_code))
        return self.to_refund(amount)

    def to_refund(self, amount: Money) -> AmountRefused | None:
        """Return what is wrong with giving the amount back."""
        multiple = multiple_of(amount.currency_code)
        return AmountRefused(multiple=multiple) if amount.minor_units % multiple else None


def multiple_of(currency_code: str) -> int:
    """Return what minor units of this currency must be a multiple of."""
    return 10 if currency_code in _TENS else int(10 ** max(-_shift(currency_code), 0))


def to_stripe(amount: Money) -> int:
    """Return the amount in Stripe's smallest unit; it must be one that StripeAmounts lets through."""
    shift = _shift(amount.currency_code)
    return int(amount.minor_units * 10**shift if shift >= 0 else amount.minor_units // 10**-shift)


def from_stripe(amount: int, currency: str) -> Money:
    """Return an amount of Stripe's as money.

    Raises:
        ValueError: The currency is none of ISO 4217's, or it is a fraction of its minor unit.
    """
    money = Money(currency.upper(), _to_iso(amount, currency.upper()))
    if to_stripe(money) != amount:
        raise ValueError(f"{amount} of {currency} is a fraction of its minor unit")
    return money


def _to_iso(amount: int, currency_code: str) -> int:
    """Return an amount of Stripe's in ISO's minor units, rounded down."""
    shift = _shift(currency_code)
    return int(amount // 10**shift if shift >= 0 else amount * 10**-shift)


def _shift(currency_code: str) -> int:
    """Return by how many digits Stripe's unit is smaller than ISO's."""
    digits = exponent(currency_code)
    return _DECIMALS.get(currency_code, digits) - digits
