"""Card numbers of every network are found however they are written, and the other long numbers of a shop are let be."""

import time
from random import Random

import pytest

from chassis.cards import fits_luhn, holds_card_number

# The networks' and Stripe's published test numbers.
CARDS = [
    "4242424242424242",
    "4000056655665556",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "2720999999999996",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "6500000000000002",
    "3566002020360505",
    "6200000000000005",
    "6205500000000000004",
    "3056930009020004",
    "36227206271667",
    "6759649826438453",
    "2200000000000004",
]

PLACES = [
    "{}",
    "card {} please",
    "pm_{}",
    "x{}y",
    "{}@example.com",
    "№{}.",
    "{} 12/28",
    "{} 1228 123",
    "2026 {}",
    "line\n{}",
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_card_number_is_found_wherever_it_stands(card: str, place: str) -> None:
    assert holds_card_number(place.format(" ".join((card[:4], card[4:8], card[8:]))))
    assert holds_card_number(place.format(card))


@pytest.mark.parametrize(
    "written",
    [
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "3782 822463 10005",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "424242 4242424242",
        "12 4242-4242-4242-4242 34",
        "9 " * 100 + "4242 4242 4242 4242",
    ],
)
def test_digits_may_be_grouped(written: str) -> None:
    assert holds_card_number(written)


@pytest.mark.parametrize(
    "number",
    [
        "4242424242424241",  # the check digit is wrong
        "42424242424242424242",  # no card has twenty digits
        "1111111111111117",  # no network begins like this
        "20261127004419123",  # a moment
        "1795740259123",  # milliseconds since 1970
        "1795740259123456789",  # nanoseconds
        "4006381333931",  # an article, GTIN-13
        "4012345678901",
        "30614141007340",  # an article, GTIN-14
        "340123450000000000",  # a parcel, SSCC-18
        "00340434161094015902",  # the same with its marker
        "0034 0434 1610 9401 5902",
        "9400 1000 0000 0000 0000 00",  # a parcel of the United States' post
        "1Z9994242424242424",  # a parcel of UPS
        "42424242-4242-4242-8424-424242424242",  # a UUID
        "4242424242424242424242424242a242",  # a trace id
        "4242.4242.4242.4242",  # how a number is written that only looks like a card's
        "+49 171 1234567 89",
        "",
    ],
)
def test_other_long_numbers_are_let_be(number: str) -> None:
    assert not holds_card_number(number)


def gs1(random: Random, length: int) -> str:
    """Return a random number with the check digit of articles and parcels."""
    digits = "".join(random.choices("0123456789", k=length - 1))
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits)))
    return f"{digits}{-total % 10}"


@pytest.mark.parametrize("length", [13, 14, 18])
def test_no_article_and_no_parcel_is_ever_taken_for_a_card(length: int) -> None:
    random = Random(length)

    assert not any(holds_card_number(gs1(random, length)) for _ in range(3_000))


@pytest.mark.parametrize(
    ("length", "share"), [(13, 0.015), (14, 0.01), (15, 0.01), (16, 0.035), (17, 0.012), (19, 0.025)]
)
def test_few_random_numbers_are_taken_for_cards(length: int, share: float) -> None:
    # The check digit alone would take one in ten.
    random = Random(length)
    taken = sum(holds_card_number("".join(random.choices("0123456789", k=length))) for _ in range(5_000))

    assert taken / 5_000 < share


@pytest.mark.parametrize("unit", ["4 ", "4 3 ", "4444 ", "42", "4242-4242-4242-4241 ", "- "])
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (50_000 // len(unit))
    begun = time.process_time()

    holds_card_number(text)

    assert time.process_time() - begun < 0.5  # 0.03 s on an idle machine; without a bound it was 1 s


def test_digits_of_every_script_count() -> None:
    fullwidth = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))

    assert fits_luhn("4242424242424242".translate(fullwidth))
    assert not fits_luhn("4242424242424241".translate(fullwidth))
