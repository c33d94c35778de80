"""The console as a person uses it: find an order, see it change, take it up again, refund it; nobody is kept out."""

import pytest

from tests.browser.conftest import Tab


def test_an_order_goes_through_before_ones_eyes(tab: Tab) -> None:
    order_id = tab.shop.place(tab.key("live"))
    tab.open("/console")
    tab.page.get_by_role("link", name=order_id).click()
    tab.page.get_by_text("The payment went through.").wait_for()

    tab.shop.command(order_id, "startProcessing")
    tab.page.get_by_text("The shop has begun to prepare the goods.").wait_for(timeout=5000)
    tab.shop.command(order_id, "ship", carrier="UPS", tracking_number="1Z999")
    tab.page.get_by_text("Goods were handed to a carrier.").wait_for(timeout=5000)

    assert "shipped" in tab.page.locator(".standing").inner_text()
    assert tab.serious_faults() == []


def test_from_a_cold_start_it_is_found_in_three_clicks_why_an_order_was_not_mailed(tab: Tab) -> None:
    tab.shop.fault("sendgrid", "outage")
    try:
        order_id = tab.shop.place(tab.key("unmailed"), reference="no-mail")
        # The one address that a person has to know; then three clicks.
        tab.open("/console")
        tab.page.get_by_role("navigation").get_by_role("link", name="Orders").click()
        tab.page.get_by_role("link", name=order_id).click()
        mails = tab.page.get_by_role("region", name="Mails")
        mails.get_by_text("next try").wait_for(timeout=15000)
        tab.keep("order-without-its-mail")
        mails.get_by_role("link", name="order confirmation").click()
        why = tab.page.get_by_role("alert").inner_text()
        tab.keep("mail-that-waits")
        # Whichever came first: the try that was cut off, or the look that found nobody there.
        assert "The answer was lost" in why or "SendGrid" in why
        assert tab.page.get_by_text("Next try").is_visible()
        assert tab.serious_faults() == []
    finally:
        tab.shop.fault("sendgrid", "")
    tab.open(f"/console/orders/{order_id}")
    tab.page.get_by_role("region", name="Mails").get_by_text("delivered").wait_for(timeout=60000)


def test_a_mail_that_was_refused_is_read_sent_again_and_its_order_marked_as_reviewed(tab: Tab) -> None:
    tab.shop.fault("sendgrid", "error", status=400, operation="mail.send")
    try:
        order_id = tab.shop.place(tab.key("refused"), reference="refused")
        tab.open(f"/console/orders/{order_id}")
        tab.page.get_by_text("needs review").first.wait_for(timeout=30000)
    finally:
        tab.shop.fault("sendgrid", "")

    tab.page.get_by_label("What you found").fill("the mail provider was set up wrongly")
    tab.page.get_by_role("button", name="Mark reviewed").click()
    tab.page.get_by_text("A person has looked at the order; nothing is left to do.").wait_for()
    tab.page.get_by_role("region", name="Mails").get_by_role("link", name="order confirmation").click()
    letter = tab.page.frame_locator("iframe")
    letter.get_by_text("Mug, blue").first.wait_for()
    tab.keep("mail")
    tab.page.get_by_role("button", name="Send again").click()

    mails = tab.page.get_by_role("region", name="Mails")
    mails.get_by_text("sent again by local").wait_for()
    mails.get_by_text("delivered").wait_for(timeout=30000)
    assert "needs review" not in tab.page.locator(".standing").inner_text()
    assert "the mail provider was set up wrongly" in tab.page.get_by_role("region", name="What happened").inner_text()


def test_an_outage_is_seen_on_the_board(tab: Tab) -> None:
    tab.shop.fault("avatax", "outage")
    try:
        for number in range(8):
            tab.shop.place(tab.key(f"outage-{number}"), reference="outage")
        tab.open("/console")
        board = tab.page.get_by_role("region", name="Providers")
        board.get_by_text("left alone").wait_for(timeout=15000)
        tab.keep("board-in-an-outage")
        assert "avatax" in board.inner_text()
        assert tab.serious_faults() == []
    finally:
        tab.shop.fault("avatax", "")
    for number in range(3):
        tab.shop.place(tab.key(f"after-{number}"), reference="outage")
    tab.page.get_by_role("region", name="Providers").get_by_text("left alone").wait_for(state="detached", timeout=90000)


def test_money_is_given_back_by_a_form(tab: Tab) -> None:
    order_id = tab.shop.place(tab.key("refund"))
    tab.open(f"/console/orders/{order_id}")

    tab.page.get_by_label("Amount in USD").fill("5.00")
    tab.page.get_by_label("Reason").fill("one was chipped")
    tab.page.get_by_role("button", name="Refund").click()

    tab.page.get_by_text("Refund 1: 5.00 USD, succeeded").wait_for()
    tab.keep("refunded")
    assert tab.serious_faults() == []


@pytest.mark.parametrize("path", ["/console", "/console/orders", "/console/orders?state=FAILED", "/console/sign-in"])
def test_nobody_is_kept_out(tab: Tab, path: str) -> None:
    tab.open(path)
    tab.keep(path.strip("/").replace("/", "-").replace("?", "-") or "console")

    assert tab.serious_faults() == []


def test_everything_is_reached_by_the_keyboard(tab: Tab) -> None:
    tab.open("/console")
    tab.page.keyboard.press("Tab")

    assert tab.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("location.hash") == "#content"
