"""What a mail looks like, whatever people typed."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.address import Address
from kernel.clock import SystemClock
from kernel.money import Money
from notify_svc.adapters import letters
from notify_svc.adapters.letters import Letters
from notify_svc.domain.content import Details, OrderSummary, Payment, Refund, Shipment, SummaryLine
from notify_svc.domain.notification import Kind, one_line
from notify_svc.domain.sample import sample, sample_order, samples
from tests.fakes.notify_samples import NOW, notification, summary

SHOP = "Mug & Co <orders@shop.example>"
LETTERS = Letters(SHOP)


class Page(HTMLParser):
    """The visible text of a page, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.stack: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "br"}:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def test_both_parts_tell_lines_sums_address_and_order() -> None:
    order = summary()
    letter = LETTERS.write(notification(summary=order))

    for part in (letter.text, Page(letter.html).words):
        for fact in ("Ada", "Blue mug 1", "Blue mug 2", "€10.99", "€21.98", "€4.18", "€26.16"):
            assert fact in part
        for fact in ("1 Main St", "10115 Berlin", "Germany", order.order_id, "Mug & Co"):
            assert fact in part


def test_the_page_is_well_formed_and_fetches_nothing() -> None:
    page = LETTERS.write(notification()).html

    assert Page(page).stack == []
    assert not {"img", "script", "link", "a", "iframe"}.intersection(Page(page).tags)
    assert "http" not in page


def test_the_subject_names_shop_and_order() -> None:
    order = summary()

    assert LETTERS.write(notification(summary=order)).subject == f"Mug & Co: order {order.order_id} is confirmed"


def test_html_in_names_and_descriptions_is_shown_and_not_obeyed() -> None:
    order = summary()
    spiteful = replace(
        order,
        lines=(replace(order.lines[0], description="<script>alert(1)</script>"), order.lines[1]),
        ship_to=replace(order.ship_to, line1="</td><img src=x onerror=alert(1)>"),
    )
    letter = LETTERS.write(notification(summary=spiteful, recipient_name='<b onclick="x">Ada</b>'))

    assert "script" not in Page(letter.html).tags
    assert "img" not in Page(letter.html).tags
    assert "<script>alert(1)</script>" in Page(letter.html).words
    assert "<script>alert(1)</script>" in letter.text


def test_template_syntax_in_names_and_descriptions_is_text() -> None:
    letter = LETTERS.write(notification(recipient_name="{{ 7 * 7 }}{% raw %}"))

    assert "Hello {{ 7 * 7 }}{% raw %}," in letter.text
    assert "49" not in letter.text.partition("\n")[0]


def test_line_ends_in_a_name_make_no_header_and_no_further_line() -> None:
    letter = LETTERS.write(notification(recipient_name="Ada\r\nBcc: everyone@example.com\u2028x\u202e"))

    assert letter.recipient_name == "Ada Bcc: everyone@example.com x"
    assert letter.text.startswith("Hello Ada Bcc: everyone@example.com x,\n")


def test_a_name_that_sendgrid_would_refuse_is_mended() -> None:
    assert (
        LETTERS.write(notification(recipient_name="Lovelace, Ada; Countess")).recipient_name == "Lovelace Ada Countess"
    )


def test_without_a_name_nobody_is_named() -> None:
    letter = LETTERS.write(notification(recipient_name=""))

    assert letter.recipient_name == ""
    assert letter.text.startswith("Hello,\n")
    assert "Hello, thank you" in Page(letter.html).words


def test_a_sender_without_a_name_signs_with_its_domain() -> None:
    letter = Letters("orders@shop.example").write(notification())

    assert letter.subject.startswith("shop.example: ")


def test_empty_parts_of_an_address_leave_no_empty_line() -> None:
    order = replace(summary(), ship_to=Address("1 Main St", "", "Singapore", "", "", "SG"))

    assert "1 Main St\nSingapore\nSingapore\n" in LETTERS.write(notification(summary=order)).text


@given(st.text(max_size=200), st.text(max_size=100))
def test_any_text_makes_a_well_formed_mail_of_one_subject_line(description: str, name: str) -> None:
    order = summary()
    anything = OrderSummary(
        order.order_id,
        (SummaryLine(description, 1, order.subtotal),),
        order.subtotal,
        order.tax,
        order.total,
        order.ship_to,
    )
    letter = LETTERS.write(notification(summary=anything, recipient_name=name))

    assert letter.subject.isprintable()
    assert letter.recipient_name.isprintable()
    assert Page(letter.html).stack == []
    assert len(letter.text.splitlines()) == len(LETTERS.write(notification(summary=anything)).text.splitlines())


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert one_line(text).isprintable()
    assert one_line(one_line(text)) == one_line(text)


LANGUAGES = ("en", "de")


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_written_whole_in_every_language(kind: Kind, locale: str) -> None:
    letter = LETTERS.write(sample(kind, locale, NOW))
    page = Page(letter.html)

    assert page.stack == []
    assert f'lang="{locale}"' in letter.html
    for part in (letter.subject, letter.text, page.words):
        assert "SAMPLE-1042" in part
    for part in (letter.text, page.words):
        assert "Ada Lovelace" in part
        assert "None" not in part


def test_no_two_kinds_and_no_two_languages_say_the_same() -> None:
    letters = [LETTERS.write(sample(kind, locale, NOW)) for kind in Kind for locale in LANGUAGES]

    assert len({letter.subject for letter in letters}) == len(letters)
    assert len({letter.text.splitlines()[2] for letter in letters}) == len(letters)


def test_every_language_has_every_file() -> None:
    folder = Path(letters.__file__).with_name("templates")
    wanted = {"words.jinja", *(f"{kind.value.lower()}.jinja" for kind in Kind)}

    for language in LANGUAGES:
        assert {file.name for file in (folder / language).iterdir()} == wanted
    assert {file.name for file in folder.iterdir()} == {*LANGUAGES, "layout.html", "layout.txt"}


def test_a_shipment_tells_what_is_under_way_and_where_it_is_followed() -> None:
    shipped = sample(Kind.ORDER_SHIPPED, "en", NOW)
    letter = LETTERS.write(shipped)

    for part in (letter.text, Page(letter.html).words):
        assert "Mug, blue" in part
        assert "Assam tea" not in part
        assert "Parcel Service, tracking number PS123456789" in part
        assert "follows later" in part
        assert "10115 Berlin" in part
    assert 'href="https://tracking.example/PS123456789"' in letter.html
    assert "https://tracking.example/PS123456789" in letter.text


def test_a_shipment_that_nothing_is_known_of_leaves_no_holes() -> None:
    bare = replace(sample(Kind.ORDER_SHIPPED, "en", NOW), details=Details(shipment=Shipment()))
    letter = LETTERS.write(bare)

    assert "tracking" not in letter.text
    assert "\n\n\n" not in letter.text
    assert "a" not in Page(letter.html).tags


def test_a_tracking_address_stays_inside_its_attribute() -> None:
    shipment = Shipment(tracking_url='https://x.example/"onmouseover="alert(1)')
    letter = LETTERS.write(replace(sample(Kind.ORDER_SHIPPED, "en", NOW), details=Details(shipment=shipment)))

    assert 'href="https://x.example/&#34;onmouseover=&#34;alert(1)"' in letter.html


def test_a_refund_tells_what_goes_back_now_and_in_all() -> None:
    refund = Refund(Money("EUR", 500), Money("EUR", 1700))
    letter = LETTERS.write(replace(sample(Kind.ORDER_REFUNDED, "en", NOW), details=Details(refund=refund)))

    for part in (letter.text, Page(letter.html).words):
        assert "given €5.00 back" in part
        assert "€17.00" in part
        assert "€46.15" in part


def test_a_first_refund_says_its_amount_and_no_other_sum() -> None:
    assert "in all" not in LETTERS.write(sample(Kind.ORDER_REFUNDED, "en", NOW)).text


def test_a_payment_tells_what_went_wrong_and_until_when_something_can_be_done() -> None:
    open_ = sample(Kind.PAYMENT_FAILED, "en", NOW)
    over = replace(open_, details=Details(payment=Payment("Your card has expired.")))

    for part in (LETTERS.write(open_).text, Page(LETTERS.write(open_).html).words):
        assert "insufficient funds" in part
        assert "before November 24, 2026" in part
    for part in (LETTERS.write(over).text, Page(LETTERS.write(over).html).words):
        assert "Your card has expired." in part
        assert "before" not in part
        assert "try again" not in part


def test_prices_with_tax_have_no_subtotal_and_name_the_tax_in_them() -> None:
    order = sample_order()
    with_tax = replace(order, prices_include_tax=True, total=order.subtotal)
    letter = LETTERS.write(sample(Kind.ORDER_CONFIRMATION, "en", NOW, with_tax))

    for part in (letter.text, Page(letter.html).words):
        assert "Subtotal" not in part
        assert "Tax included in it" in part
        assert part.index("€38.78") < part.index("€7.37")


def test_a_discount_is_below_zero() -> None:
    letter = LETTERS.write(sample(Kind.ORDER_CONFIRMATION, "en", NOW))

    assert "-€5.00" in letter.text
    assert "-€5.00" in letter.html


def test_a_language_nobody_has_written_for_is_answered_in_the_shops_own() -> None:
    letters_in_german = Letters(SHOP, "de_AT")

    assert letters_in_german.locale("fr-FR") == letters_in_german.locale("") == "de-AT"
    assert letters_in_german.write(sample(Kind.ORDER_DELIVERED, "fr-FR", NOW)).text.startswith("Guten Tag")


def test_the_samples_are_of_every_kind() -> None:
    assert [each.kind for each in samples("en", NOW)] == [*Kind, *Kind]


def test_the_first_confirmation_finds_everything_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a template was compiled")

    fresh, prepared = Letters(SHOP, "de_AT"), Letters(SHOP, "de_AT")
    prepared.prepare(SystemClock())
    monkeypatch.setattr("jinja2.Environment.compile", refuse)

    assert prepared.write(notification()).subject
    with pytest.raises(AssertionError, match="compiled"):
        fresh.write(notification())
