"""What the notify service can be told from outside, and what it refuses to start with."""

from pathlib import Path

import pytest

from chassis.config import ConfigError
from notify_svc.__main__ import warn
from notify_svc.config import _SANDBOX_PUBLIC_KEY, NotifyConfig
from sandbox.sendgrid.signing import EventKey
from tests.fakes.notify_signing import SendgridKey

LIVE_KEY = f"SG.{'a' * 22}.{'b' * 43}"


def complaint(**values: str) -> str:
    with pytest.raises(ConfigError) as refused:
        NotifyConfig.from_env(values)
    return str(refused.value)


def test_without_any_setting_it_runs_on_the_sandbox_and_a_file() -> None:
    config = NotifyConfig.from_env({})

    assert config.address == "127.0.0.1:50054"
    assert config.sendgrid_url == "http://127.0.0.1:8090/sendgrid"
    assert config.sendgrid_api_key.reveal() == "SG.sandbox"
    assert config.mail_from == "Ordermesh <orders@shop.example>"
    assert config.database_url.reveal() == f"sqlite:///{Path('.ordermesh').absolute() / 'notify.db'}"


def test_its_own_database_wins_over_the_shared_one() -> None:
    shared = {"ORDERMESH_DATABASE_URL": "postgresql://shared/mesh"}

    assert NotifyConfig.from_env(shared).database_url.reveal() == "postgresql://shared/mesh"
    own = {**shared, "NOTIFY_DATABASE_URL": "postgresql://own/notify"}
    assert NotifyConfig.from_env(own).database_url.reveal() == "postgresql://own/notify"


def test_a_live_key_is_not_given_to_the_sandbox() -> None:
    text = complaint(SENDGRID_API_KEY=LIVE_KEY)

    assert "SENDGRID_API_KEY" in text
    assert LIVE_KEY not in text


def test_the_real_sendgrid_is_not_called_without_a_key() -> None:
    assert "SENDGRID_BASE_URL" in complaint(SENDGRID_BASE_URL="https://api.sendgrid.com")


def test_address_and_key_together_make_it_real() -> None:
    config = NotifyConfig.from_env({"SENDGRID_BASE_URL": "https://api.sendgrid.com", "SENDGRID_API_KEY": LIVE_KEY})

    assert config.sendgrid_url == "https://api.sendgrid.com"
    assert LIVE_KEY not in repr(config)


@pytest.mark.parametrize("sender", ["", "Shop", "Shop <orders>", "a@b", "Shop <a@shop.example>\r\nBcc: x@shop.example"])
def test_a_sender_that_nobody_could_answer_is_named(sender: str) -> None:
    if sender:
        assert "MAIL_FROM" in complaint(MAIL_FROM=sender)
    else:
        assert NotifyConfig.from_env({"MAIL_FROM": sender}).mail_from


@pytest.mark.parametrize("key", ["no base64!", "AAAA", SendgridKey(curve="secp384r1").public, SendgridKey.rsa()])
def test_a_public_key_that_is_none_is_named(key: str) -> None:
    assert "SENDGRID_WEBHOOK_PUBLIC_KEY" in complaint(SENDGRID_WEBHOOK_PUBLIC_KEY=key)


def test_every_complaint_is_told_at_once() -> None:
    text = complaint(NOTIFY_ADDR="nowhere", MAIL_FROM="Shop", SENDGRID_BASE_URL="ftp://x")

    assert all(name in text for name in ("NOTIFY_ADDR", "MAIL_FROM", "SENDGRID_BASE_URL"))


def test_the_sandboxs_event_key_is_known_only_while_the_sandbox_is_used() -> None:
    at_the_sandbox = NotifyConfig.from_env({})
    at_sendgrid = NotifyConfig.from_env({"SENDGRID_BASE_URL": "https://api.sendgrid.com", "SENDGRID_API_KEY": "SG.a.b"})

    assert at_the_sandbox.sendgrid_webhook_public_key == EventKey().public
    assert at_sendgrid.sendgrid_webhook_public_key == ""


def test_mail_goes_to_a_mail_server_by_its_own_settings() -> None:
    config = NotifyConfig.from_env(
        {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "mail.example", "SMTP_USERNAME": "shop", "SMTP_PASSWORD": "secret"}
    )

    assert (config.mail_transport, config.smtp.host, config.smtp.port, config.smtp.tls) == (
        "smtp",
        "mail.example",
        587,
        "starttls",
    )
    assert "secret" not in repr(config)


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("off", 25)])
def test_the_port_follows_from_the_encryption(tls: str, port: int) -> None:
    assert NotifyConfig.from_env({"SMTP_HOST": "localhost", "SMTP_TLS": tls}).smtp.port == port


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_mail_goes_in_the_clear_within_this_machine_alone(host: str) -> None:
    assert NotifyConfig.from_env({"SMTP_HOST": host, "SMTP_TLS": "off"}).smtp.tls == "off"
    assert "SMTP_TLS" in complaint(SMTP_HOST="mail.example", SMTP_TLS="off")
    assert "SMTP_TLS" in complaint(SMTP_HOST="10.0.0.1", SMTP_TLS="off")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"MAIL_TRANSPORT": "pigeon"}, "MAIL_TRANSPORT"),
        ({"MAIL_TRANSPORT": "smtp"}, "SMTP_HOST"),
        ({"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "m.example", "MAIL_FROM": "Müller <a@müller.example>"}, "MAIL_FROM"),
        ({"SMTP_TLS": "maybe"}, "SMTP_TLS"),
        ({"SMTP_PORT": "65536"}, "SMTP_PORT"),
        ({"SMTP_PORT": "²"}, "SMTP_PORT"),
        ({"SMTP_USERNAME": "shop"}, "SMTP_PASSWORD"),
        ({"SMTP_PASSWORD": "secret"}, "SMTP_PASSWORD"),
    ],
)
def test_a_mail_server_that_cannot_be_used_is_told_by_name(values: dict[str, str], name: str) -> None:
    assert name in complaint(**values)


def test_sendgrids_own_templates_are_named_by_kind_and_language() -> None:
    one, other = "d-" + "a" * 32, "d-" + "b" * 32
    config = NotifyConfig.from_env({"MAIL_SENDGRID_TEMPLATES": f"order_shipped={one}, order_shipped.de = {other},"})

    assert config.sendgrid_templates == {"order_shipped": one, "order_shipped.de": other}


@pytest.mark.parametrize("text", ["birthday=d-" + "a" * 32, "order_shipped=abc", "order_shipped", "=d-" + "a" * 32])
def test_a_template_that_cannot_be_is_named(text: str) -> None:
    assert "MAIL_SENDGRID_TEMPLATES" in complaint(MAIL_SENDGRID_TEMPLATES=text)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, []),
        ({"SENDGRID_BASE_URL": "https://api.sendgrid.com"}, ["sendgrid.events_refused"]),
        ({"SENDGRID_BASE_URL": "https://api.sendgrid.com", "SENDGRID_WEBHOOK_PUBLIC_KEY": _SANDBOX_PUBLIC_KEY}, []),
        ({"SENDGRID_BASE_URL": "https://api.sendgrid.com", "MAIL_TRANSPORT": "smtp", "SMTP_HOST": "mail.shop"}, []),
    ],
)
def test_events_of_sendgrid_that_nobody_can_believe_are_told_of(
    settings: dict[str, str], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    warn(NotifyConfig.from_env({"SENDGRID_API_KEY": LIVE_KEY, **settings} if settings else {}))

    assert [record.message for record in caplog.records] == said
