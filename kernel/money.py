"""Money as a whole number of minor units, and the one table of how many digits a currency has.

It knows ISO 4217 and arithmetic. It refuses floats, fractions of a minor unit, and sums across currencies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

# ISO 4217, "List one", 2026: the digits after the decimal point. Codes that nobody pays with (gold, test, IMF units)
# are left out. Space-separated, because one line per currency would hide the table behind its length.
_TWO_DIGITS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN
PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"

_DIGITS: dict[str, int] = {
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}


class UnknownCurrency(ValueError):
    """The code is not an ISO 4217 currency that can be paid with."""


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies met where only one makes sense."""


def exponent(currency_code: str) -> int:
    """Return how many digits the currency has after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD.

    Raises:
        UnknownCurrency: The code is none of ISO 4217's.
    """
    try:
        return _DIGITS[currency_code]
    except KeyError:
        raise UnknownCurrency(f"{currency_code!r} is not an ISO 4217 currency code") from None


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency.

    Attributes:
        currency_code: ISO 4217, in capitals.
        minor_units: The amount in the currency's smallest unit; may be negative.
    """

    currency_code: str
    minor_units: int

    def __post_init__(self) -> None:
        """Refuse a currency that does not exist."""
        exponent(self.currency_code)

    @classmethod
    def zero(cls, currency_code: str) -> "Money":
        """Return nothing, in the given currency."""
        return cls(currency_code, 0)

    @classmethod
    def total(cls, amounts: Iterable["Money"], currency_code: str) -> "Money":
        """Return the exact sum; the currency is needed because there may be nothing to add.

        Raises:
            CurrencyMismatch: An amount is in another currency.
        """
        result = cls.zero(currency_code)
        for amount in amounts:
            result += amount
        return result

    @classmethod
    def from_decimal(cls, amount: Decimal, currency_code: str) -> "Money":
        """Return a major-unit decimal (10.99) as money, rounded half to even to the currency's digits.

        Raises:
            UnknownCurrency: The currency is none of ISO 4217's.
            ArithmeticError: The amount is none that anything costs: no finite number, or one of more than 28 digits.
        """
        scaled = amount.scaleb(exponent(currency_code)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
        return cls(currency_code, int(scaled))

    def to_decimal(self) -> Decimal:
        """Return the amount in major units, with exactly the currency's digits: Decimal('10.99')."""
        return Decimal(self.minor_units).scaleb(-exponent(self.currency_code))

    def __add__(self, other: "Money") -> "Money":
        """Return the sum of two amounts of one currency."""
        self._same_currency(other)
        return Money(self.currency_code, self.minor_units + other.minor_units)

    def __sub__(self, other: "Money") -> "Money":
        """Return the difference of two amounts of one currency."""
        self._same_currency(other)
        return Money(self.currency_code, self.minor_units - other.minor_units)

    def __mul__(self, count: int) -> "Money":
        """Return the amount taken `count` times; money is never multiplied by anything but a whole number."""
        return Money(self.currency_code, self.minor_units * count)

    def __str__(self) -> str:
        """Return it as a person writes it: '10.99 EUR'."""
        return f"{self.to_decimal()} {self.currency_code}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency_code != other.currency_code:
            raise CurrencyMismatch(f"{self.currency_code} and {other.currency_code} cannot be added or compared")
