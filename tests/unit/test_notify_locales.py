"""Languages and regions: what is nearest, and how each writes amounts, moments and addresses."""

from datetime import UTC, datetime

import pytest
from babel import UnknownLocaleError
from hypothesis import given
from hypothesis import strategies as st

from kernel.address import Address
from kernel.money import Money
from notify_svc.adapters.locales import Languages

LANGUAGES = Languages(["en", "de", "pt_BR"], "en_US")
SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("asked", "tag", "language"),
    [
        ("", "en-US", "en"),
        ("en-US", "en-US", "en"),
        ("en-GB", "en-GB", "en"),
        ("de", "de", "de"),
        ("de-AT", "de-AT", "de"),
        ("de_CH", "de-CH", "de"),
        ("DE-at", "de-AT", "de"),
        ("de-Latn-DE", "de-DE", "de"),
        ("de-XX", "de", "de"),
        ("de-AT-1996", "de-AT", "de"),
        ("pt-BR", "pt-BR", "pt_BR"),
        ("pt-PT", "en-US", "en"),
        ("fr-FR", "en-US", "en"),
        ("xx", "en-US", "en"),
        ("tlh-Qo-noS", "en-US", "en"),
    ],
)
def test_the_nearest_locale_that_there_are_templates_for(asked: str, tag: str, language: str) -> None:
    found = LANGUAGES.nearest(asked)

    assert (found.tag, found.language) == (tag, language)


@given(st.from_regex(r"\A([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*)?\Z"))
def test_whatever_the_contract_lets_through_has_a_locale_of_ours(asked: str) -> None:
    assert LANGUAGES.nearest(asked).language in {"en", "de", "pt_BR"}


@pytest.mark.parametrize("default", ["fr", "xx", "", "english please"])
def test_a_default_without_templates_is_refused(default: str) -> None:
    with pytest.raises(UnknownLocaleError):
        Languages(["en"], default)


@pytest.mark.parametrize(
    ("locale", "money", "written"),
    [
        ("en-US", Money("EUR", 1099), "€10.99"),
        ("en-US", Money("USD", 123456), "$1,234.56"),
        ("en-US", Money("USD", -500), "-$5.00"),
        ("en-US", Money("CAD", 300), "CA$3.00"),
        ("en-US", Money("JPY", 1_234_567), "¥1,234,567"),
        ("en-US", Money("KWD", 1234), f"KWD{SPACE}1.234"),
        ("en-US", Money("IQD", 1234), f"IQD{SPACE}1.234"),  # CLDR counts no fils any more; the charge does
        ("en-US", Money("EUR", 0), "€0.00"),
        ("en-US", Money("EUR", 2**53 + 1), "€90,071,992,547,409.93"),
        ("de-DE", Money("EUR", 123456), f"1.234,56{SPACE}€"),
        ("de-AT", Money("EUR", 123456), f"€{SPACE}1.234,56"),
        ("de-CH", Money("CHF", 123456), f"CHF{SPACE}1'234.56"),
        ("de", Money("JPY", 500), f"500{SPACE}¥"),
        ("de", Money("EUR", -500), f"-5,00{SPACE}€"),
    ],
)
def test_amounts_are_written_as_the_region_does_with_the_currencys_own_digits(
    locale: str, money: Money, written: str
) -> None:
    assert LANGUAGES.nearest(locale).amount(money) == written


@pytest.mark.parametrize(
    ("locale", "written"),
    [("en-US", f"November 27, 2026, 3:00:00{SPACE}PM UTC"), ("de-AT", "27. November 2026, 15:00:00 UTC")],
)
def test_moments_say_their_time_zone(locale: str, written: str) -> None:
    assert LANGUAGES.nearest(locale).moment(datetime(2026, 11, 27, 15, tzinfo=UTC)) == written


@pytest.mark.parametrize(
    ("locale", "address", "lines"),
    [
        (
            "en-US",
            Address("1 Main St", "Apt 2", "Springfield", "IL", "62701", "US"),
            ["1 Main St", "Apt 2", "Springfield, IL 62701", "United States"],
        ),
        ("en-US", Address("Weg 1", "", "Berlin", "", "10115", "DE"), ["Weg 1", "", "10115 Berlin", "Germany"]),
        ("de", Address("Weg 1", "", "Wien", "", "1010", "AT"), ["Weg 1", "", "1010 Wien", "Österreich"]),
        (
            "en-GB",
            Address("1 High St", "", "Leeds", "", "LS1 1AA", "GB"),
            ["1 High St", "", "Leeds", "LS1 1AA", "United Kingdom"],
        ),
        ("en-US", Address("1 Road", "", "Nowhere", "", "", "QQ"), ["1 Road", "", "Nowhere", "QQ"]),
    ],
)
def test_addresses_are_in_the_order_of_their_country(locale: str, address: Address, lines: list[str]) -> None:
    assert LANGUAGES.nearest(locale).address(address) == lines
