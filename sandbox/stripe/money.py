"""What Stripe knows about currencies: which it takes, how many decimals, and how little is too little."""

from dataclasses import dataclass
from decimal import Decimal

from sandbox.stripe.errors import StripeError, bad_parameter

MAX_AMOUNT = 99_999_999  # "at most eight digits"

# ISO 4217 codes that Stripe charges in, as its documentation lists them.
_CURRENCY_CODES = """
aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny cop
crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd jod
jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio
nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd
top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
"""
_CURRENCIES = frozenset(_CURRENCY_CODES.split())
_ZERO_DECIMAL_CODES = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_ZERO_DECIMAL = frozenset(_ZERO_DECIMAL_CODES.split())
_THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
# Two decimals on the wire, of which only zeros may be charged.
_WHOLE_UNITS = frozenset({"isk", "ugx"})

# Smallest charge in minor units, from Stripe's table. Others need the equivalent of half a US dollar, which without
# exchange rates is taken as 50 minor units.
_MINIMUM = {
    "usd": 50, "eur": 50, "aud": 50, "cad": 50, "chf": 50, "nzd": 50, "sgd": 50, "brl": 50, "inr": 50, "gbp": 30,
    "jpy": 50, "sek": 300, "nok": 300, "dkk": 250, "pln": 200, "mxn": 1000, "hkd": 400, "czk": 1500, "huf": 17500,
    "thb": 1000, "aed": 200, "myr": 200, "ron": 200, "bgn": 100,
}  # fmt: skip
_DEFAULT_MINIMUM = 50
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "aud": "A$", "cad": "C$", "nzd": "NZ$"}


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount in minor units of a currency in lower case."""

    amount: int
    currency: str

    def __str__(self) -> str:
        """Return it as Stripe's messages write it: `$0.50`."""
        decimals = 0 if self.currency in _ZERO_DECIMAL else 3 if self.currency in _THREE_DECIMAL else 2
        text = f"{Decimal(self.amount).scaleb(-decimals):,.{decimals}f}"
        symbol = _SYMBOLS.get(self.currency)
        return f"{symbol}{text}" if symbol else f"{text} {self.currency}"


def check_currency(currency: str) -> str:
    """Return the currency in lower case.

    Raises:
        StripeError: Stripe does not charge in it.
    """
    lower = currency.lower()
    if lower not in _CURRENCIES:
        supported = ", ".join(sorted(_CURRENCIES))
        message = f"Invalid currency: {lower}. Stripe currently supports these currencies: {supported}"
        raise bad_parameter(message, "currency")
    return lower


def check_amount(amount: int, currency: str) -> None:
    """Refuse an amount that Stripe would not charge.

    Raises:
        StripeError: naming the parameter `amount`.
    """
    if amount < 1:
        message = "This value must be greater than or equal to 1."
        raise bad_parameter(message, "amount", "parameter_invalid_integer")
    if amount > MAX_AMOUNT:
        message = f"Amount must be no more than {Sum(MAX_AMOUNT, currency)}"
        raise bad_parameter(message, "amount", "amount_too_large")
    minimum = _MINIMUM.get(currency, _DEFAULT_MINIMUM)
    if amount < minimum:
        message = f"Amount must be at least {Sum(minimum, currency)} {currency}"
        raise bad_parameter(message, "amount", "amount_too_small")
    if (currency in _THREE_DECIMAL and amount % 10) or (currency in _WHOLE_UNITS and amount % 100):
        message = f"Invalid amount for {currency}: the last digit must be 0."
        raise StripeError(400, message, code="parameter_invalid_integer", param="amount", remembered=False)
