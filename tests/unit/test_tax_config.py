"""What the tax service can be told from outside, and what it refuses to start with."""

from decimal import Decimal
from pathlib import Path

import pytest

from chassis.config import ConfigError
from kernel.address import Address
from tax_svc.config import TaxConfig


def complaint(**values: str) -> str:
    with pytest.raises(ConfigError) as refused:
        TaxConfig.from_env(values)
    return str(refused.value)


def test_without_any_setting_it_runs_on_the_sandbox_and_a_file() -> None:
    config = TaxConfig.from_env({})

    assert config.address == "127.0.0.1:50052"
    assert config.avatax_url == "http://127.0.0.1:8090/avatax"
    assert config.avatax_company_code == "DEFAULT"
    assert config.database_url.reveal() == f"sqlite:///{Path('.ordermesh').absolute() / 'tax.db'}"
    assert config.fallback_rate == Decimal("0.08")
    assert config.ship_from is None


def test_its_own_database_wins_over_the_shared_one() -> None:
    shared = {"ORDERMESH_DATABASE_URL": "postgresql://shared/mesh"}

    assert TaxConfig.from_env(shared).database_url.reveal() == "postgresql://shared/mesh"
    own = {**shared, "TAX_DATABASE_URL": "postgresql://own/tax"}
    assert TaxConfig.from_env(own).database_url.reveal() == "postgresql://own/tax"


def test_rates_by_region_are_read() -> None:
    config = TaxConfig.from_env({"TAX_FALLBACK_RATES": "DE=0.19, US-CA=0.0725"})

    assert config.fallback_rates == {"DE": Decimal("0.19"), "US-CA": Decimal("0.0725")}


@pytest.mark.parametrize("value", ["DE", "DE=", "DE=19", "Germany=0.19", "de=0.19", "DE=-0.1", "DE=NaN"])
def test_a_rate_that_makes_no_sense_is_named(value: str) -> None:
    assert f"TAX_FALLBACK_RATES: '{value}'" in complaint(TAX_FALLBACK_RATES=value)


def test_every_complaint_is_told_at_once() -> None:
    text = complaint(TAX_FALLBACK_RATE="eight", TAX_ADDR="nowhere", AVATAX_COMPANY_CODE="../etc")

    assert all(name in text for name in ("TAX_FALLBACK_RATE", "TAX_ADDR", "AVATAX_COMPANY_CODE"))


def test_a_key_without_its_address_is_not_given_to_the_sandbox() -> None:
    text = complaint(AVATAX_ACCOUNT_ID="1100012345", AVATAX_LICENSE_KEY="0123456789ABCDEF")

    assert "AVATAX_LICENSE_KEY" in text
    assert "0123456789ABCDEF" not in text


def test_the_real_avatax_is_not_called_without_a_key() -> None:
    assert "AVATAX_BASE_URL" in complaint(AVATAX_BASE_URL="https://rest.avatax.com")


def test_address_and_key_together_make_it_real() -> None:
    config = TaxConfig.from_env(
        {
            "AVATAX_BASE_URL": "https://sandbox-rest.avatax.com/",
            "AVATAX_ACCOUNT_ID": "1100012345",
            "AVATAX_LICENSE_KEY": "0123456789ABCDEF",
        }
    )

    assert config.avatax_url == "https://sandbox-rest.avatax.com"
    assert config.avatax_license_key.reveal() == "0123456789ABCDEF"
    assert "0123456789ABCDEF" not in repr(config)


def test_where_goods_leave_from_can_be_told() -> None:
    config = TaxConfig.from_env(
        {
            "TAX_SHIP_FROM_LINE1": "1 Dock Rd",
            "TAX_SHIP_FROM_LOCALITY": "Reno",
            "TAX_SHIP_FROM_ADMINISTRATIVE_AREA": "NV",
            "TAX_SHIP_FROM_POSTAL_CODE": "89501",
            "TAX_SHIP_FROM_REGION_CODE": "US",
        }
    )

    assert config.ship_from == Address("1 Dock Rd", "", "Reno", "NV", "89501", "US")


def test_a_policy_by_region_is_read() -> None:
    config = TaxConfig.from_env({"TAX_FALLBACK_POLICY": "US-NY=refuse, DE=allow, *=refuse"})

    assert config.fallback_policy == {"US-NY": False, "DE": True, "*": False}
    assert TaxConfig.from_env({}).fallback_policy == {}


@pytest.mark.parametrize("value", ["US-NY", "US-NY=no", "ny=refuse", "*=", "**=allow"])
def test_a_policy_that_makes_no_sense_is_named(value: str) -> None:
    assert f"TAX_FALLBACK_POLICY: '{value}'" in complaint(TAX_FALLBACK_POLICY=value)


@pytest.mark.parametrize(
    ("name", "value"), [("TAX_FALLBACK_RATES", "DE=0.19,DE=0.07"), ("TAX_FALLBACK_POLICY", "*=allow,*=refuse")]
)
def test_two_words_about_one_region_are_one_too_many(name: str, value: str) -> None:
    assert f"{name}: says two things" in complaint(**{name: value})


def test_quotes_are_remembered_for_five_minutes_unless_told_otherwise() -> None:
    assert TaxConfig.from_env({}).quote_cache_seconds == 300
    assert TaxConfig.from_env({"TAX_QUOTE_CACHE_SECONDS": "0"}).quote_cache_seconds == 0
    assert "TAX_QUOTE_CACHE_SECONDS" in complaint(TAX_QUOTE_CACHE_SECONDS="-1")


def test_complaints_about_regions_and_minutes_come_together() -> None:
    text = complaint(TAX_FALLBACK_RATES="x", TAX_FALLBACK_POLICY="y", TAX_QUOTE_CACHE_SECONDS="z")

    assert all(name in text for name in ("TAX_FALLBACK_RATES", "TAX_FALLBACK_POLICY", "TAX_QUOTE_CACHE_SECONDS"))
