"""The shop's own templates over ours: which file wins, what a broken one is told as, and that it costs no mail."""

import logging
import re
from pathlib import Path

import pytest

from chassis.config import ConfigError
from notify_svc.adapters.letters import BrokenTemplate, Letters
from notify_svc.config import NotifyConfig
from notify_svc.domain.notification import Kind
from notify_svc.domain.sample import sample
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_samples import NOW, notification

SHOP = "Mug & Co <orders@shop.example>"


def shop(folder: Path, **files: str) -> Letters:
    """Return letters over a folder with these files; a double underscore stands for a slash, a single one for a dot."""
    write(folder, **files)
    return Letters(SHOP, "en_US", folder)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        language, _, rest = name.rpartition("__")
        stem, _, suffix = rest.rpartition("_")
        path = folder / language / f"{stem}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


SHIPPED = (
    "{% extends layout %}{% block subject %}Off it goes: {{ number }}{% endblock %}"
    "{% block title %}Off!{% endblock %}{% block message %}we packed it with love.{% endblock %}"
)


def test_a_file_of_the_shops_wins_and_all_others_stay_ours(tmp_path: Path) -> None:
    letters = shop(tmp_path, en__order_shipped_jinja=SHIPPED)
    letters.check(ManualClock())

    shipped = letters.write(sample(Kind.ORDER_SHIPPED, "en", NOW))
    assert shipped.subject == "Off it goes: SAMPLE-1042"
    assert "packed it with love" in shipped.text
    assert "packed it with love" in shipped.html
    assert "PS123456789" in shipped.text
    assert "unterwegs" in letters.write(sample(Kind.ORDER_SHIPPED, "de", NOW)).subject
    assert "has arrived" in letters.write(sample(Kind.ORDER_DELIVERED, "en", NOW)).subject


def test_one_layout_of_the_shops_dresses_every_mail(tmp_path: Path) -> None:
    layout = "<p class=ours>{% block message %}{% endblock %}</p>"
    letters = shop(tmp_path, layout_html=layout)
    letters.check(ManualClock())

    for kind in Kind:
        for locale in ("en", "de"):
            assert letters.write(sample(kind, locale, NOW)).html.startswith("<p class=ours>")


def test_one_part_of_one_mail_can_be_the_shops(tmp_path: Path) -> None:
    letters = shop(tmp_path, de__order_shipped_html="<b>{{ shipment.tracking_number }}</b>")
    letters.check(ManualClock())
    shipped = letters.write(sample(Kind.ORDER_SHIPPED, "de", NOW))

    assert shipped.html == "<b>PS123456789</b>"
    assert "Guten Tag" in shipped.text


def test_a_language_of_the_shops_own_falls_back_file_by_file(tmp_path: Path) -> None:
    french = SHIPPED.replace("Off it goes", "En route").replace("we packed", "nous avons emballé")
    letters = shop(tmp_path, fr__order_shipped_jinja=french)
    letters.check(ManualClock())

    assert letters.locale("fr-CA") == "fr-CA"
    assert letters.write(sample(Kind.ORDER_SHIPPED, "fr-CA", NOW)).subject.startswith("En route")
    assert "is confirmed" in letters.write(sample(Kind.ORDER_CONFIRMATION, "fr-CA", NOW)).subject


def test_what_people_typed_is_escaped_in_the_shops_pages_too(tmp_path: Path) -> None:
    letters = shop(tmp_path, en__order_confirmation_html="<p>{{ name }}</p>")

    assert letters.write(notification(recipient_name="<b>Ada</b>")).html == "<p>&lt;b&gt;Ada&lt;/b&gt;</p>"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("en__order_shipped_jinja", "{% extends layout %}\n\n{% block subject %}", "order_shipped.jinja:3"),
        ("en__order_shipped_jinja", SHIPPED.replace("}{% block t", "}\n{% block t") + "\n{% endif %}", ":3"),
        ("de__order_refunded_html", "\n<p>{{ refund.amonut }}</p>", "de/order_refunded.html:2"),
        ("en__order_delivered_txt", "no subject", "order_delivered"),
        ("layout_html", "<p>\n{{ customer }}", "layout.html:2"),
        ("en__words_jinja", "{% set total = 1 // 0 %}", "words.jinja:1"),
        ("en__order_shipped_txt", "{{ ''.__class__.__mro__ }}", "order_shipped.txt:1"),
        ("en__order_shipped_txt", "{% include '/etc/passwd' %}", "order_shipped.txt:1"),
    ],
)
def test_a_broken_template_is_told_at_start_up_by_file_and_line(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    with pytest.raises(BrokenTemplate, match=rf"{told}\b"):
        shop(tmp_path, **{name: text}).check(ManualClock())

    with pytest.raises(ConfigError, match=r"MAIL_TEMPLATES_DIR: .*" + told.rpartition("/")[2]):
        NotifyConfig.from_env({"MAIL_TEMPLATES_DIR": str(tmp_path)})


def test_a_template_that_fails_only_with_a_real_order_costs_no_mail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fragile = SHIPPED.replace("{{ number }}", "{{ 1 // (0 if name == 'Ada' else 1) }}")
    letters = shop(tmp_path, en__order_confirmation_jinja=fragile)
    letters.check(ManualClock())

    with caplog.at_level(logging.ERROR):
        letter = letters.write(notification(recipient_name="Ada"))

    assert "is confirmed" in letter.subject
    (record,) = [record for record in caplog.records if record.msg == "mail.template_failed"]
    assert str(vars(record)["what"]).endswith("order_confirmation.jinja:1 ZeroDivisionError")
    assert "Ada" not in str(vars(record))


def test_what_changes_after_the_start_changes_no_mail(tmp_path: Path) -> None:
    letters = shop(tmp_path, en__order_shipped_jinja=SHIPPED)
    write(tmp_path, en__order_shipped_jinja="{{ broken")

    assert letters.write(sample(Kind.ORDER_SHIPPED, "en", NOW)).subject.startswith("Off it goes")


def test_a_folder_that_is_none_and_a_locale_without_templates_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        NotifyConfig.from_env({"MAIL_TEMPLATES_DIR": str(tmp_path / "nowhere")})
    assert "is not a folder" in str(refused.value)
    with pytest.raises(ConfigError) as refused:
        NotifyConfig.from_env({"MAIL_LOCALE": "fr_FR"})
    assert "MAIL_LOCALE" in str(refused.value)
    write(tmp_path, fr__order_shipped_jinja=SHIPPED)
    assert NotifyConfig.from_env({"MAIL_LOCALE": "fr_FR", "MAIL_TEMPLATES_DIR": str(tmp_path)}).mail_locale == "fr_FR"


DOCUMENT = (Path(__file__).parents[2] / "docs" / "mails.md").read_text("utf-8")


def test_the_template_of_the_documentation_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```jinja\n(.*?)```", DOCUMENT, re.DOTALL)
    letters = shop(tmp_path, en__order_shipped_jinja=example)
    letters.check(ManualClock())
    letter = letters.write(sample(Kind.ORDER_SHIPPED, "en", NOW))

    assert letter.subject == "Mug & Co: your parcel has left"
    assert "packed it with care, and the rest follows." in letter.text


def test_the_documentation_names_every_kind_and_every_variable() -> None:
    facts = Letters(SHOP).facts(sample(Kind.ORDER_SHIPPED, "en", NOW))
    shipment = facts["shipment"]
    assert isinstance(shipment, dict)

    named = set(re.findall(r"`(\w+)`", DOCUMENT))
    assert named.issuperset({*facts, *shipment, "words", "layout", *(kind.value.lower() for kind in Kind)})
