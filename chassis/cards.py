"""Tells card numbers from the other long numbers that a shop handles: parcels, articles, orders, moments.

One random run of digits in ten passes the check digit of cards (Luhn), so that alone would refuse every tenth article
number. What counts here is a number that a card network has given out: its first digits and its length (ISO/IEC 7812,
as the networks publish them), and the check digit. docs/adr/0018-card-numbers.md has the figures.
"""

import re

_LENGTHS = range(13, 20)

# By network. A length that none of its cards has is left out: fewer other numbers are taken for cards.
_NETWORKS = re.compile(
    r"""
      4(?:\d{12}|\d{15}|\d{18})                                                       # Visa: 13, 16, 19
    | (?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}                # Mastercard: 16
    | 3[47]\d{13}                                                                     # American Express: 15
    | (?:6011|64[4-9]\d|65\d\d)\d{12,15}                                              # Discover, RuPay: 16 to 19
    | 62\d{14,17}                                                                     # UnionPay: 16 to 19
    | 35(?:2[89]|[3-8]\d)\d{12,15}                                                    # JCB: 16 to 19
    | 3(?:0[0-5]|[689]\d)\d{11,16}                                                    # Diners Club: 14 to 19
    | (?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,15}                              # Maestro: 13 to 19
    | 220[0-4]\d{12,15}                                                               # Mir: 16 to 19
    """,
    re.VERBOSE | re.ASCII,
)

# Numbers with the check digit of GS1, in the lengths of articles (GTIN-13, GTIN-14) and of parcels (SSCC-18).
_GS1_LENGTHS = frozenset({13, 14, 18})
# The same behind its marker, and a parcel of the United States' post: labels print both in groups of four.
_LONG_PARCEL = re.compile(r"00\d{18}|9[1-5]\d{20}", re.ASCII)

# A run of digits, alone or in groups as cards print them; or an id that may hold such a run by chance.
_RUN = re.compile(
    r"""
      (?P<id> \b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b     # a UUID
            | \b(?=[0-9a-f]{0,255}[a-f])[0-9a-f]{24,256}\b        # a hash, a trace id
            | \b1Z[0-9A-Z]{16}\b )                                # a parcel of UPS
    | \d(?:[ -]?\d){12,}
    """,
    re.VERBOSE | re.ASCII,
)
_GROUP = re.compile(r"\d+", re.ASCII)

# In a run that is longer than a card with each digit by itself and much around it, a card has to begin as cards are
# printed. Otherwise a quarter of a megabyte of single digits would take seconds.
_LONG_RUN = 100
_PRINTED_GROUP = 4

_FIRST_DIGITS = "23456"
_ZERO = ord("0")
# What a digit counts when it is doubled: the sum of the digits of that.
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def holds_card_number(text: str) -> bool:
    """Say whether a card number stands in the text, alone or among other words and digits.

    Digits may be grouped by single spaces or dashes. A run of more digits than a card has is none, unless it is grouped
    and one part of it is a card: "4242 4242 4242 4242 12/28".
    """
    return any(not run["id"] and _holds(run.group()) for run in _RUN.finditer(text))


def fits_luhn(digits: str) -> bool:
    """Say whether these digits could be a card's: 13 to 19 of them, the last one fitting the others (Luhn)."""
    if len(digits) not in _LENGTHS:
        return False
    ascii_digits = (digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)).encode()
    total = sum(ascii_digits[-1::-2]) + sum(ascii_digits[-2::-2].translate(_DOUBLED))
    return (total - _ZERO * len(digits)) % 10 == 0


def _holds(run: str) -> bool:
    groups = _GROUP.findall(run)
    if _is_long_parcel("".join(groups)):
        return False
    shortest = 1 if len(run) <= _LONG_RUN else _PRINTED_GROUP
    for first, start in enumerate(groups):
        if start[0] not in _FIRST_DIGITS or len(start) < shortest:
            continue
        digits = ""
        for group in groups[first : first + _LENGTHS.stop]:
            digits += group
            if len(digits) >= _LENGTHS.stop:
                break
            if len(digits) >= _LENGTHS.start and _is_card(digits):
                return True
    return False


def _is_card(digits: str) -> bool:
    return bool(fits_luhn(digits) and _NETWORKS.fullmatch(digits)) and not _is_article_or_parcel(digits)


def _is_article_or_parcel(digits: str) -> bool:
    return len(digits) in _GS1_LENGTHS and _fits_gs1(digits)


def _is_long_parcel(digits: str) -> bool:
    return _LONG_PARCEL.fullmatch(digits) is not None and _fits_gs1(digits)


def _fits_gs1(digits: str) -> bool:
    """Say whether the last digit fits the others by the rule of GS1: every second one counts three times."""
    return (sum(int(digit) for digit in digits[-1::-2]) + 3 * sum(int(digit) for digit in digits[-2::-2])) % 10 == 0
