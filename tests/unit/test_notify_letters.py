"""What a mail looks like, whatever people typed."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.address import Address
from kernel.money import Money
from notify_svc.adapters.letters import Letters, amount
from notify_svc.domain.notification import OrderSummary, SummaryLine, one_line
from tests.fakes.notify_samples import notification, summary

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
        for fact in ("Ada", "Blue mug 1", "Blue mug 2", "10.99 EUR", "21.98 EUR", "4.18 EUR", "26.16 EUR"):
            assert fact in part
        for fact in ("1 Main St", "Berlin 10115", "DE", order.order_id, "Mug & Co"):
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


@pytest.mark.parametrize(
    ("money", "written"),
    [
        (Money("EUR", 1099), "10.99 EUR"),
        (Money("USD", 123456), "1,234.56 USD"),
        (Money("JPY", 500), "500 JPY"),
        (Money("JPY", 1_234_567), "1,234,567 JPY"),
        (Money("KWD", 1234), "1.234 KWD"),
        (Money("EUR", 5), "0.05 EUR"),
        (Money("EUR", 0), "0.00 EUR"),
    ],
)
def test_amounts_have_their_currency_and_its_digits(money: Money, written: str) -> None:
    assert amount(money) == written


def test_empty_parts_of_an_address_leave_no_empty_line() -> None:
    order = replace(summary(), ship_to=Address("1 Main St", "", "Singapore", "", "", "SG"))

    assert "1 Main St\nSingapore\nSG\n" in LETTERS.write(notification(summary=order)).text


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


def test_every_template_ships_with_the_package() -> None:
    folder = Path(__file__).parents[2] / "notify_svc" / "adapters" / "templates"

    assert {file.name for file in folder.iterdir()} == {"order_confirmation.html", "order_confirmation.txt"}
