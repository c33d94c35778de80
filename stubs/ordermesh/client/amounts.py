"""Money from the way people write it, exactly."""

from decimal import Decimal, InvalidOperation

from ordermesh.type.v1 import money_pb2

# ISO 4217: digits after the decimal point, where they are not two.
_DIGITS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(), 0),  # noqa: SIM905
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),  # noqa: SIM905  (a list would hide the table)
}

# An int64 of minor units holds 9 * 10**15 of any currency.
_LARGEST_POWER = 14


def money(currency_code: str, amount: str | int | Decimal) -> money_pb2.Money:
    """Return an amount in major units as money: `money("USD", "49.99")` is 4999 minor units.

    Args:
        currency_code: ISO 4217, in capitals.
        amount: Text, a whole number or a Decimal; never a float, which has no exact cents.

    Raises:
        ValueError: It is no number, finer than the currency's smallest unit, or more than there is money.
        TypeError: It is a float.
    """
    if isinstance(amount, float):
        raise TypeError("an amount is written as text or a Decimal: a float has no exact cents")
    try:
        exact = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no amount") from None
    if not exact.is_finite() or exact.adjusted() > _LARGEST_POWER:
        raise ValueError(f"{amount!r} is no amount")
    digits = _DIGITS.get(currency_code, 2)
    if exact and exact.adjusted() < -digits:
        raise ValueError(f"{currency_code} has no unit as small as in {amount}")
    # By whole numbers: Decimal's own arithmetic rounds to 28 digits.
    numerator, denominator = exact.as_integer_ratio() if exact else (0, 1)
    whole, rest = divmod(numerator * 10**digits, denominator)
    if rest:
        raise ValueError(f"{currency_code} has no unit as small as in {amount}")
    return money_pb2.Money(currency_code=currency_code, minor_units=whole)
