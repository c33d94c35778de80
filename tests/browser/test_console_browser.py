"""The console as a person uses it: find an order, see it change, take it up again, refund it; nobody is kept out."""

import pytest

from tests.browser.conftest import Tab

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="`make browser` installs it")

# What axe calls these keeps somebody from using the page.
_SERIOUS = {"serious", "critical"}


def serious_faults(tab: Tab) -> list[str]:
    """Return what axe finds that keeps people out."""
    found = axe.Axe().run(tab.page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in _SERIOUS]


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
    assert serious_faults(tab) == []


def test_why_a_mail_did_not_go_out_is_found_in_three_clicks(tab: Tab) -> None:
    tab.shop.fault("sendgrid", "outage")
    try:
        order_id = tab.shop.place(tab.key("unmailed"), reference="no-mail")
        tab.open("/console")
        tab.page.get_by_role("navigation").get_by_role("link", name="Orders").click()
        tab.page.get_by_role("link", name=order_id).click()
        mails = tab.page.get_by_role("region", name="Mails")
        mails.get_by_text("next try").wait_for(timeout=15000)
        tab.keep("order-without-its-mail")
        assert "order confirmation" in mails.inner_text()
    finally:
        tab.shop.fault("sendgrid", "")
    tab.page.get_by_role("region", name="Mails").get_by_text("delivered").wait_for(timeout=60000)


def test_money_is_given_back_by_a_form(tab: Tab) -> None:
    order_id = tab.shop.place(tab.key("refund"))
    tab.open(f"/console/orders/{order_id}")

    tab.page.get_by_label("Amount in USD").fill("5.00")
    tab.page.get_by_label("Reason").fill("one was chipped")
    tab.page.get_by_role("button", name="Refund").click()

    tab.page.get_by_text("Refund 1: 5.00 USD, succeeded").wait_for()
    tab.keep("refunded")
    assert serious_faults(tab) == []


@pytest.mark.parametrize("path", ["/console", "/console/orders", "/console/orders?state=FAILED", "/console/sign-in"])
def test_nobody_is_kept_out(tab: Tab, path: str) -> None:
    tab.open(path)
    tab.keep(path.strip("/").replace("/", "-").replace("?", "-") or "console")

    assert serious_faults(tab) == []


def test_everything_is_reached_by_the_keyboard(tab: Tab) -> None:
    tab.open("/console")
    tab.page.keyboard.press("Tab")

    assert tab.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("location.hash") == "#content"
