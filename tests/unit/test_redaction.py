"""The redactor: every secret, card number and address of a list of each kind goes, and what only looks alike stays."""

import string
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.cards import fits_luhn
from chassis.redaction import redact

SECRETS = [
    "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    "sk_live_51Habc",
    "rk_live_51Habc",
    "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH",
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD/x4=",
    "omk_3pQvW8xZr1TbN6yKfGhJmA",
    "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",
    "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "seti_1Mm8s8LkdIwHu7ix0OXBfTRG_secret_NXDICkPqPeiBTAFqWmkbff09lRmSVXe",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
]

CARDS = [
    "4242424242424242",
    "4000002500003155",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "3056930009020004",
    "6205500000000000004",
    "4222222222222",
]

ADDRESSES = [
    "bob@example.com",
    "anna.o'neil+shop@mail.example.co.uk",
    "b@localhost",
    "üzgür@exämple.de",
    "bob%40example.com",
]

PLACES = [
    "{}",
    "before {} after",
    "x={},y",
    '{{"field": "{}"}}',
    "('{}',)",
    "https://api.example/v1?q={}&r=1",
    "first\nsecond {}\nthird",
    "Error: {}.",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", [*SECRETS, *CARDS, *ADDRESSES])
def test_what_must_not_be_written_is_replaced_wherever_it_stands(secret: str, place: str) -> None:
    assert secret not in redact(place.format(secret))


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_leaves_no_part_of_itself(secret: str) -> None:
    assert redact(f"key {secret} end") == "key [secret] end"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc",
        "authorization=Basic YWJjOmRlZg==",
        "{'Authorization': 'Bearer t0k3n-value'}",
        '{"authorization":"t0k3n-value"}',
        "('authorization', 'Bearer t0k3n-value')",
        "sent header Basic dXNlcjpwYXNz",
    ],
)
def test_what_authorises_is_replaced(text: str) -> None:
    redacted = redact(text)

    assert "[secret]" in redacted
    assert not any(word in redacted for word in ("abc", "YWJj", "t0k3n", "dXNl"))


def test_the_password_in_a_database_url_is_replaced() -> None:
    assert (
        redact("postgresql://mesh:s3cr3t@db.internal:5432/orders") == "postgresql://[password]@db.internal:5432/orders"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4242 4242 4242 4242", "[card]"),
        ("4242-4242-4242-4242 12/28", "[card] 12/28"),
        ("4242424242424242 12", "[card] 12"),
        ("2026 4242 4242 4242 4242 12", "2026 [card] 12"),
        ("4242424242424242 5555555555554444", "[card] [card]"),
        ("card4242424242424242x", "card[card]x"),
        ("6205 5000 0000 0000 004", "[card]"),
        ("4242 4242 4242 4242 4242", "[card] 4242"),
        ("4242424242424243", "4242424242424243"),
        ("42424242424242424242", "42424242424242424242"),
    ],
)
def test_card_numbers_are_found_among_other_digits(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sweep.failed",
        "basic authentication failed",
        "the authorization was refused",
        "task_4242 disk_usage msg.something",
        "0191abcd-4242-4242-4242-424242424242",
        "trace 42424242424242424242424242424a42",
        "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        "2026-11-23T03:25:07.306123Z",
        "@property",
        "10:20:30.123456789",
        "3.141592653589793",
        "https://api.stripe.com/v1/payment_intents",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(string.digits, min_size=12, max_size=18))
def test_exactly_one_check_digit_makes_a_card_number(digits: str) -> None:
    assert sum(fits_luhn(digits + check) for check in string.digits) == 1


@given(st.text(max_size=300))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)

    assert redact(once) == once


def test_a_long_text_is_cut() -> None:
    assert redact("x" * 100_000) == "x" * 16_384 + "[cut]"


def test_secrets_in_noise_are_found() -> None:
    random = Random(5)
    for secret in SECRETS + CARDS + ADDRESSES:
        for _ in range(50):
            before, after = ("".join(random.choices(" ,;:\"'(){}\n", k=random.randrange(5))) for _ in range(2))
            assert secret not in redact(f"{before}{secret}{after}")
