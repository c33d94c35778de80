"""The demo shop as a buyer uses it: paid; declined, then another card; 3-D Secure; a network that fails in between."""

import re
from typing import Any

import pytest

from tests.browser.conftest import Tab

_SECONDS = 1000.0


def fill_basket(tab: Tab) -> None:
    """Put two articles in the basket, and go to the checkout."""
    tab.open("/shop")
    tab.page.get_by_role("button", name="Mug, blue").click()
    tab.page.get_by_role("button", name="Reading lamp").click()
    assert tab.page.locator("#basket-count").inner_text() == "2"
    tab.page.get_by_role("link", name="Basket").click()
    # 12.50 + 89.00 + 4.90, and 6.5 % of it in Washington.
    tab.page.get_by_text("$113.32").wait_for()


def skips_to_the_content(tab: Tab) -> None:
    """Make sure that whoever goes by the keyboard need not go through the navigation first."""
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("location.hash") == "#content"


def pay_with(tab: Tab, card: str) -> None:
    tab.page.get_by_role("radio", name=card).check()
    tab.page.get_by_role("button", name="Order and pay").click()
    tab.page.wait_for_url("**/shop/orders/*")


def test_a_buyer_sees_the_tax_of_their_address_pays_and_reads_the_confirmation(tab: Tab) -> None:
    fill_basket(tab)
    tab.page.get_by_label("An address to try").select_option(label="Berlin, Germany")
    tab.page.get_by_text("GERMANY 19 %").wait_for()
    assert "$126.62" in tab.page.locator("#sum").inner_text()
    tab.keep("shop-checkout")
    assert tab.serious_faults() == []

    pay_with(tab, "Visa 4242")

    tab.page.get_by_text("It is paid. Thank you!").first.wait_for(timeout=20 * _SECONDS)
    tab.keep("shop-paid")
    assert tab.serious_faults() == []
    assert tab.page.locator("#basket-count").inner_text() == "0"
    mail = tab.page.get_by_role("link", name="Read it in the sandbox's mailbox")
    order_id = tab.page.locator("#order-id").inner_text()
    assert order_id in mail.get_attribute("href")
    tab.open(f"/console/orders/{order_id}")
    tab.page.get_by_role("region", name="Mails").get_by_text("delivered").wait_for(timeout=30 * _SECONDS)
    tab.open(f"/shop/orders/{order_id}")
    tab.page.get_by_role("link", name="Read it in the sandbox's mailbox").click()
    tab.page.get_by_text("As it looks").first.click()
    tab.page.frame_locator("iframe").get_by_text("Reading lamp").first.wait_for()
    tab.keep("sandbox-mailbox")
    assert tab.serious_faults() == []


def test_a_declined_card_says_why_and_another_one_pays_the_same_order(tab: Tab) -> None:
    fill_basket(tab)
    pay_with(tab, "Visa 9995")
    tab.page.get_by_text("There is not enough money on this card. Nothing was charged.").first.wait_for()
    tab.keep("shop-declined")
    assert tab.serious_faults() == []
    order = tab.page.url

    tab.page.get_by_role("radio", name="Mastercard 4444").check()
    tab.page.get_by_role("button", name="Pay", exact=True).click()

    tab.page.get_by_text("It is paid. Thank you!").first.wait_for(timeout=20 * _SECONDS)
    assert tab.page.url == order
    assert tab.page.get_by_role("heading", name="Pay with another card").is_hidden()


@pytest.mark.parametrize(
    ("answer", "told"),
    [("Yes, pay", "It is paid. Thank you!"), ("No, it is not me", "The bank could not make sure that it was you.")],
)
def test_the_bank_asks_and_the_buyer_comes_back(tab: Tab, answer: str, told: str) -> None:
    fill_basket(tab)
    pay_with(tab, "Visa 3220")
    tab.page.get_by_role("link", name="Confirm at the bank").click()
    tab.page.get_by_role("heading", name="Is it you?").wait_for()
    assert "$113.32" in tab.page.locator("main").inner_text()
    tab.keep("sandbox-bank")
    assert tab.serious_faults() == []

    tab.page.get_by_role("button", name=answer).click()

    tab.page.wait_for_url("**/shop/orders/*")
    tab.page.get_by_text(re.compile(re.escape(told))).first.wait_for(timeout=20 * _SECONDS)


def test_an_order_whose_answer_is_lost_is_placed_once_under_the_same_key(tab: Tab) -> None:
    keys: list[str] = []

    def lose_the_first_answer(route: Any) -> None:  # noqa: ANN401  (playwright's)
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    fill_basket(tab)
    tab.page.route("**/api/v1/orders", lose_the_first_answer)
    pay_with(tab, "Visa 4242")
    tab.page.get_by_text("It is paid. Thank you!").first.wait_for(timeout=20 * _SECONDS)

    assert len(keys) == 2
    assert len(set(keys)) == 1
    order_id = tab.page.locator("#order-id").inner_text()
    customer = tab.page.evaluate("localStorage['ordermesh.customer']")
    tab.open(f"/console/orders?customer_id={customer}")
    # One under the heading: this browser has ordered once.
    assert tab.page.get_by_role("row").count() == 2
    assert order_id in tab.page.get_by_role("row").last.inner_text()
    tab.open_sandbox(f"/ledger.html?order_id={order_id}")
    assert tab.page.get_by_role("region", name="Payments at Stripe").get_by_role("row").count() == 2
    # The lost answer is what the browser complained about, and what the test wanted.
    tab.complaints[:] = [said for said in tab.complaints if "ERR_CONNECTION_RESET" not in said]


def test_an_order_whose_page_was_left_before_the_answer_is_placed_once_too(tab: Tab) -> None:
    keys: list[str] = []
    answers: list[str] = []

    def lose_every_answer(route: Any) -> None:  # noqa: ANN401  (playwright's)
        keys.append(route.request.headers["idempotency-key"])
        answers.append(route.fetch().json()["order_id"])
        route.abort("connectionreset")

    fill_basket(tab)
    tab.page.route("**/api/v1/orders", lose_every_answer)
    tab.page.get_by_role("button", name="Order and pay").click()
    tab.page.get_by_text("asking again with the same key (1)").wait_for(timeout=20 * _SECONDS)
    tab.page.unroute("**/api/v1/orders")
    tab.page.reload()
    tab.page.get_by_text("$113.32").wait_for()
    with tab.page.expect_request(lambda asked: asked.url.endswith("/api/v1/orders")) as placed:
        tab.page.get_by_role("button", name="Order and pay").click()
    tab.page.get_by_text("It is paid. Thank you!").first.wait_for(timeout=20 * _SECONDS)

    assert {*keys, placed.value.headers["idempotency-key"]} == {keys[0]}
    assert set(answers) == {tab.page.locator("#order-id").inner_text()}
    tab.complaints[:] = [said for said in tab.complaints if "ERR_CONNECTION_RESET" not in said]


def test_a_key_is_kept_until_the_shop_knows_and_a_long_wait_is_told_at_once(tab: Tab) -> None:
    keys: list[str] = []
    problem = {
        "title": "Customer limit reached",
        "detail": "Too many cards were declined.",
        "reason": "CUSTOMER_LIMIT_REACHED",
    }
    answers = [
        # Not now, but soon: it asks again by itself. Then an error that leaves open what was done.
        {"status": 503, "headers": {"retry-after": "1"}, "json": {}},
        {"status": 500, "json": {"title": "Internal"}},
        # In an hour: nothing was begun, so the next attempt is another one.
        {"status": 429, "headers": {"retry-after": "3600"}, "json": problem},
    ]

    def answer(route: Any) -> None:  # noqa: ANN401  (playwright's)
        keys.append(route.request.headers["idempotency-key"])
        if answers:
            route.fulfill(**answers.pop(0))
        else:
            route.continue_()

    fill_basket(tab)
    tab.page.route("**/api/v1/orders", answer)
    pay = tab.page.get_by_role("button", name="Order and pay")
    pay.click()
    tab.page.get_by_text("Internal").wait_for(timeout=10 * _SECONDS)
    pay.click()
    tab.page.get_by_text("Too many cards were declined.").wait_for(timeout=10 * _SECONDS)
    pay.click()
    tab.page.get_by_text("It is paid. Thank you!").first.wait_for(timeout=20 * _SECONDS)

    assert [keys.index(key) for key in keys] == [0, 0, 0, 3]
    tab.complaints[:] = [said for said in tab.complaints if not re.search("503|500|429", said)]


def test_an_address_that_makes_no_sense_is_marked_where_it_is_wrong(tab: Tab) -> None:
    fill_basket(tab)
    tab.page.get_by_label("An address to try").select_option(label="Somewhere that does not exist")

    tab.page.get_by_text("is not valid for this state and country").first.wait_for()

    assert tab.page.get_by_label("Postal code").get_attribute("aria-invalid") == "true"
    tab.keep("shop-wrong-address")
    assert tab.serious_faults() == []
    tab.complaints[:] = [said for said in tab.complaints if "400" not in said]


def test_a_fault_that_is_switched_on_is_seen_on_the_board_until_it_is_ended(tab: Tab) -> None:
    tab.open("/console")
    tab.page.get_by_role("link", name="Fault switches").click()
    avatax = tab.page.get_by_role("region", name="AvaTax")
    avatax.get_by_role("radio", name="Cut off").check()
    avatax.get_by_role("button", name="Set the fault of AvaTax").click()
    avatax.get_by_text("outage").wait_for()
    try:
        tab.keep("sandbox-faults")
        assert tab.serious_faults() == []
        for number in range(8):
            tab.shop.place(tab.key(f"switched-{number}"), reference="switched")
        tab.open("/console")
        board = tab.page.get_by_role("region", name="Providers")
        board.get_by_text("left alone").wait_for(timeout=15 * _SECONDS)
        tab.keep("board-with-a-fault")

        tab.open_sandbox("/faults.html")
        avatax.get_by_role("button", name="End AvaTax's faults").click()
        avatax.get_by_text("no fault is set").wait_for()
    finally:
        tab.shop.fault("avatax", "")
    for number in range(3):
        tab.shop.place(tab.key(f"ended-{number}"), reference="switched")
    tab.open("/console")
    board.get_by_text("left alone").wait_for(state="detached", timeout=90 * _SECONDS)


@pytest.mark.parametrize("path", ["/", "/ledger.html", "/sendgrid/_sandbox/mailbox.html", "/faults.html"])
def test_nobody_is_kept_out_of_the_sandbox(tab: Tab, path: str) -> None:
    tab.shop.place(tab.key("looked-at"))
    tab.open_sandbox(path)
    tab.keep(f"sandbox-page-{path.rpartition('/')[2].removesuffix('.html') or 'start'}")

    assert tab.serious_faults() == []
    skips_to_the_content(tab)


@pytest.mark.parametrize("path", ["/shop", "/shop/checkout"])
def test_nobody_is_kept_out_of_the_shop(tab: Tab, path: str) -> None:
    tab.open(path)
    tab.page.locator("h1").wait_for()
    tab.keep(path.strip("/").replace("/", "-") + "-as-found")

    assert tab.serious_faults() == []
    skips_to_the_content(tab)


def test_a_whole_purchase_needs_no_mouse(tab: Tab) -> None:
    tab.open("/shop")
    tab.page.get_by_role("button", name="Notebook").focus()
    tab.page.keyboard.press("Enter")
    assert tab.page.get_by_role("status").inner_text() == "Notebook, dotted: 1 in the basket"
    tab.page.get_by_role("link", name="Basket").focus()
    tab.page.keyboard.press("Enter")
    tab.page.get_by_text("WASHINGTON 6.5 %").wait_for()
    tab.page.get_by_role("radio", name="Visa 4242").focus()
    tab.page.keyboard.press("ArrowDown")
    assert tab.page.get_by_role("radio", name="Mastercard 4444").is_checked()
    # The card is the last choice; what follows is the button.
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")

    tab.page.get_by_text("It is paid. Thank you!").first.wait_for(timeout=20 * _SECONDS)
