"""docs/configuration.md lists every setting of every part, each with what it is."""

from pathlib import Path

from cli.settings import page, settings

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_configs_say() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == page(), (
        "run `ordermesh settings --markdown > docs/configuration.md`"
    )


def test_every_setting_is_said_to_be_something() -> None:
    """A field's docstring in a config.py begins with its variables: "ORDER_ADDR: where the order service listens."."""
    assert [setting.name for setting in settings() if not setting.meaning] == []


def test_a_setting_has_a_text_of_its_own_or_one_with_what_it_is_of_another_part() -> None:
    """ORDER_HEALTH_ADDR and TAX_HEALTH_ADDR are the same thing of two parts."""
    of_text: dict[str, set[str]] = {}
    for setting in settings():
        of_text.setdefault(setting.meaning, set()).add(setting.name.partition("_")[2])

    assert {text: names for text, names in of_text.items() if len(names) > 1} == {}


def test_a_file_that_each_part_has_for_itself_is_named_for_all_of_them() -> None:
    defaults = {setting.name: setting.default for setting in settings()}

    assert defaults["ORDERMESH_DATABASE_URL"] == "sqlite:///./.ordermesh/PART.db"
    assert defaults["TAX_DATABASE_URL"] == "sqlite:///./.ordermesh/tax.db"


def test_settings_that_are_asked_for_only_beside_others_are_listed() -> None:
    names = {setting.name for setting in settings()}
    assert {"TAX_SHIP_FROM_REGION_CODE", "TAX_SHIP_FROM_LINE1", "SMTP_PORT", "MAIL_TEMPLATES_DIR"} <= names


def test_defaults_are_the_ones_that_a_part_starts_with() -> None:
    defaults = {setting.name: setting.default for setting in settings()}
    assert defaults["ORDER_ADDR"] == "127.0.0.1:50051"
    assert defaults["TAX_FALLBACK_RATE"] == "0.08"
    assert defaults["ORDERMESH_DATA_DIR"] == "./.ordermesh"
    assert defaults["ORDER_DATABASE_URL"].startswith("sqlite:///./")
