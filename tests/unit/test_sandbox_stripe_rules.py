"""Stripe's small print: forms, money, cards, search."""

import pytest

from sandbox.schema import SchemaBook
from sandbox.stripe.cards import CARDS, card_named, card_numbered
from sandbox.stripe.errors import StripeError
from sandbox.stripe.forms import parse_form, typed
from sandbox.stripe.money import Sum, check_amount, check_currency

BOOK = SchemaBook("stripe")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a=1&b=x+y", {"a": "1", "b": "x y"}),
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("a[0]=x&a[1]=y", {"a": {"0": "x", "1": "y"}}),
        ("a[]=x&a[]=y", {"a": {"0": "x", "1": "y"}}),
        ("metadata[k%20k]=%C3%A9", {"metadata": {"k k": "é"}}),
        ("a=", {"a": ""}),
        ("", {}),
    ],
)
def test_forms_are_unfolded(text: str, form: dict[str, object]) -> None:
    assert parse_form(text) == form


@pytest.mark.parametrize("text", ["a=1&a[b]=2", "a[b]=1&a=2", "a[b]=1&a[b][c]=2", "a=%ff", "&".join(["a=1"] * 1001)])
def test_malformed_forms_are_refused(text: str) -> None:
    with pytest.raises(StripeError):
        parse_form(text)


def test_leaves_take_the_types_of_the_schema() -> None:
    form = parse_form(
        "amount=1000&currency=usd&confirm=true&off_session=one_off&expand[0]=latest_charge&metadata[n]=12"
        "&automatic_payment_methods[enabled]=true&shipping[name]=A&shipping[address][line1]=B"
    )

    params = typed(BOOK, "payment_intents.create", form)

    assert params == {
        "amount": 1000,
        "currency": "usd",
        "confirm": True,
        "off_session": "one_off",
        "expand": ["latest_charge"],
        "metadata": {"n": "12"},
        "automatic_payment_methods": {"enabled": True},
        "shipping": {"name": "A", "address": {"line1": "B"}},
    }


def test_created_is_a_moment_or_a_range() -> None:
    assert typed(BOOK, "events.list", parse_form("created=5"))["created"] == 5
    assert typed(BOOK, "events.list", parse_form("created[gte]=5"))["created"] == {"gte": 5}


@pytest.mark.parametrize(
    ("operation", "text", "message"),
    [
        ("refunds.create", "reason=because", "must be one of duplicate, fraudulent, or requested_by_customer"),
        ("payment_intents.create", "amount=1&currency=usd&shipping[nmae]=A", "shipping[nmae]"),
        ("payment_intents.create", "amount=1&currency=usd&metadata=x", "Invalid object"),
        ("payment_intents.create", "amount=1&currency=usd&amount_details=", "empty string for 'amount_details'"),
        ("payment_intents.create", "amount[a]=1&currency=usd", "Invalid integer"),
        ("payment_intents.create", "amount=²&currency=usd", "Invalid integer: ²"),
        ("payment_methods.attach", "", "Missing required param: customer."),
    ],
)
def test_wrong_parameters_are_named(operation: str, text: str, message: str) -> None:
    with pytest.raises(StripeError) as refused:
        typed(BOOK, operation, parse_form(text))

    assert message in str(refused.value)
    assert refused.value.status == 400
    assert not refused.value.remembered


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (50, "usd", None),
        (49, "usd", "amount_too_small"),
        (30, "gbp", None),
        (49, "jpy", "amount_too_small"),
        (17_499, "huf", "amount_too_small"),
        (99_999_999, "usd", None),
        (100_000_000, "usd", "amount_too_large"),
        (-1, "usd", "parameter_invalid_integer"),
        (501, "isk", "parameter_invalid_integer"),
        (500, "isk", None),
        (1001, "kwd", "parameter_invalid_integer"),
        (1010, "kwd", None),
    ],
)
def test_amounts_are_neither_too_small_nor_too_large(amount: int, currency: str, code: str | None) -> None:
    if code is None:
        check_amount(amount, currency)
    else:
        with pytest.raises(StripeError) as refused:
            check_amount(amount, currency)
        assert refused.value.error["code"] == code


def test_currencies_are_known_in_any_case() -> None:
    assert check_currency("USD") == "usd"
    with pytest.raises(StripeError, match="Invalid currency: xxx"):
        check_currency("xxx")


def test_sums_are_written_with_the_currencys_decimals() -> None:
    assert [str(Sum(*each)) for each in ((50, "usd"), (50, "jpy"), (1500, "czk"), (1234567, "kwd"))] == [
        "$0.50",
        "¥50",
        "15.00 czk",
        "1,234.567 kwd",
    ]


def test_tokens_and_numbers_lead_to_the_same_card() -> None:
    for name, card in CARDS.items():
        assert card_named(f"pm_card_{name}") == card_named(f"tok_{name}") == name
        by_number = card_numbered(card.number)
        assert by_number is not None
        assert CARDS[by_number] == card
    assert card_named("pm_card_nope") is None
    assert card_named("visa") is None
    assert card_numbered("4242 4242 4242 4242") is not None
    assert card_numbered("4111111111111111") is None


def test_card_numbers_carry_a_right_check_digit() -> None:
    for card in CARDS.values():
        digits = [int(digit) for digit in reversed(card.number)]
        doubled = [sum(divmod(digit * 2, 10)) for digit in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10 == 0, card.number
