"""What the environment may ask of the payment service, and what it may not."""

from datetime import timedelta

import pytest

from chassis.config import ConfigError
from payment_svc.config import PaymentConfig


def test_nothing_set_means_the_sandbox_on_this_machine() -> None:
    config = PaymentConfig.from_env({})

    assert config.address == "127.0.0.1:50053"
    assert config.stripe_api_base == "http://127.0.0.1:8090/stripe"
    assert config.stripe_api_key.reveal() == "sk_test_sandbox"
    assert [secret.reveal() for secret in config.stripe_webhook_secrets] == ["whsec_sandbox_ordermesh"]
    assert config.database_url.reveal() == f"sqlite:///{config.data_dir / 'payment.db'}"
    assert config.data_dir.is_absolute()
    assert not config.live


def test_a_shared_database_is_used_unless_there_is_an_own_one() -> None:
    shared = {"ORDERMESH_DATABASE_URL": "postgresql://db/shared"}

    assert PaymentConfig.from_env(shared).database_url.reveal() == "postgresql://db/shared"
    own = PaymentConfig.from_env({**shared, "PAYMENT_DATABASE_URL": "postgresql://db/own"})
    assert own.database_url.reveal() == "postgresql://db/own"


def test_the_sandbox_may_be_elsewhere() -> None:
    assert PaymentConfig.from_env({"SANDBOX_ADDR": "10.0.0.1:9000"}).stripe_api_base == "http://10.0.0.1:9000/stripe"


def test_the_real_stripe_needs_its_address_key_and_secret() -> None:
    config = PaymentConfig.from_env(
        {
            "STRIPE_API_BASE": "https://api.stripe.com/",
            "STRIPE_API_KEY": "sk_live_1",
            "STRIPE_WEBHOOK_SECRET": "whsec_new, whsec_old,",
        }
    )

    assert config.live
    assert config.stripe_api_base == "https://api.stripe.com"
    assert [secret.reveal() for secret in config.stripe_webhook_secrets] == ["whsec_new", "whsec_old"]


def test_a_test_key_on_stripes_own_address_is_not_live() -> None:
    config = PaymentConfig.from_env({"STRIPE_API_BASE": "https://api.stripe.com", "STRIPE_API_KEY": "sk_test_9"})

    assert not config.live


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"STRIPE_API_KEY": "sk_live_1", "STRIPE_WEBHOOK_SECRET": "w"}, "STRIPE_API_KEY"),
        ({"STRIPE_API_KEY": "rk_live_1", "STRIPE_WEBHOOK_SECRET": "w"}, "STRIPE_API_KEY"),
        (
            {"STRIPE_API_KEY": "sk_live_1", "STRIPE_API_BASE": "http://api.stripe.com", "STRIPE_WEBHOOK_SECRET": "w"},
            "STRIPE_API_KEY",
        ),
        ({"STRIPE_API_KEY": "sk_live_1", "STRIPE_API_BASE": "https://api.stripe.com"}, "STRIPE_WEBHOOK_SECRET"),
        ({"STRIPE_API_BASE": "https://api.stripe.com"}, "STRIPE_API_BASE"),
        ({"STRIPE_API_BASE": "api.stripe.com"}, "STRIPE_API_BASE"),
        ({"STRIPE_API_KEY": "sk_test_1\nX-Evil: 1"}, "STRIPE_API_KEY"),
        ({"STRIPE_WEBHOOK_SECRET": ","}, "STRIPE_WEBHOOK_SECRET"),
        ({"PAYMENT_ADDR": "nowhere"}, "PAYMENT_ADDR"),
        ({"PAYMENT_SETTLE_SECONDS": "0"}, "PAYMENT_SETTLE_SECONDS"),
        ({"PAYMENT_RESUME_SECONDS": "soon"}, "PAYMENT_RESUME_SECONDS"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(values: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PaymentConfig.from_env(values)

    assert f"\n  {complaint}: " in str(refused.value)
    assert "live_1" not in str(refused.value)


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        PaymentConfig.from_env({"PAYMENT_ADDR": "nowhere", "STRIPE_WEBHOOK_SECRET": ",", "PAYMENT_SETTLE_SECONDS": "x"})

    assert str(refused.value).count("\n") == 3


def test_no_secret_is_in_the_repr() -> None:
    config = PaymentConfig.from_env({"STRIPE_WEBHOOK_SECRET": "whsec_hidden", "STRIPE_API_KEY": "sk_test_hidden"})

    assert "hidden" not in repr(config)
    assert config.settle_after == timedelta(seconds=30)
