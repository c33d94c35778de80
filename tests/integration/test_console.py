"""The console shows of an order what the API says, its buttons do what the API does, and no other site presses them."""

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from bench.onlooker import Onlooker
from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.whole_mesh import EXAMPLE, PATIENCE_SECONDS


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("console")
    values = environment(folder / "data")
    mesh = MeshProcess(["up"], values, folder / "log")
    try:
        mesh.wait_until("Ctrl-C stops")
        with httpx.Client(base_url=f"http://{values['ORDERMESH_GATEWAY_ADDR']}", timeout=PATIENCE_SECONDS) as client:
            yield client
    finally:
        mesh.signal(signal.SIGTERM)
        mesh.wait()


def placed(browser: httpx.Client, key: str, **changes: object) -> str:
    answer = browser.post("/api/v1/orders", json={**EXAMPLE, **changes}, headers={"Idempotency-Key": key})
    if answer.status_code == httpx.codes.CREATED:
        return str(answer.json()["order_id"])
    return str(answer.json()["metadata"]["orderId"])


def page(browser: httpx.Client, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["content-security-policy"]
    # With "no-referrer" browsers send the page's forms as if from another site, and no button works.
    assert answer.headers["referrer-policy"] == "same-origin"
    # What the policy would keep from working.
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text)
    return unescape(answer.text)


def until_shown(browser: httpx.Client, path: str, pattern: str) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while not re.search(pattern, shown := page(browser, path)):
        assert time.monotonic() < end, f"{path} never showed {pattern}"
        time.sleep(0.1)
    return shown


def key_of(shown: str, command: str) -> str:
    """Return the idempotency key in a form."""
    (form,) = re.findall(rf'<form method="post" action="[^"]*/{command}".*?</form>', shown, re.DOTALL)
    (key,) = re.findall(r'name="key" value="([^"]+)"', form)
    return str(key)


def test_an_order_is_found_on_the_board_in_the_list_and_by_its_reference(browser: httpx.Client) -> None:
    order_id = placed(browser, "found", reference="shop-4711")

    assert order_id in page(browser, "/console")
    assert order_id in page(browser, "/console/orders?state=PAID")
    assert order_id in page(browser, "/console/orders?reference_prefix=shop-47")
    assert order_id not in page(browser, "/console/orders?reference_prefix=shop-48")
    found = browser.get("/console/orders", params={"order_id": f" {order_id} "})
    assert (found.status_code, found.headers["location"]) == (303, f"/console/orders/{order_id}")


def test_the_page_tells_money_story_work_mails_and_where_the_time_went(browser: httpx.Client) -> None:
    order_id = placed(browser, "whole")

    shown = until_shown(browser, f"/console/orders/{order_id}", "The tax document was committed.")

    for text in ("53.24 USD", "3.25 USD", "pi_", "The payment went through.", "order confirmation", "commit tax"):
        assert text in shown
    shown = until_shown(browser, f"/console/orders/{order_id}", "send_mail")
    assert "ordermesh.order.v1.OrderService/PlaceOrder" in shown
    assert "<rect" in shown


def test_the_board_counts_orders_and_tells_how_everybody_is_doing(browser: httpx.Client) -> None:
    placed(browser, "counted")

    until_shown(browser, "/console", "send confirmation")
    # The count is read for everybody who looks on together, and so may be some seconds old.
    shown = until_shown(browser, "/console", r'<b>[1-9]\d*</b> <a href="/console/orders\?state=PAID">')

    for text in ("orders per second", "stripe", "avatax", "sendgrid", "order tasks", "95 of 100 within"):
        assert text in shown
    assert "left alone" not in shown


def test_the_board_leads_to_the_shop_and_to_the_sandboxs_pages(browser: httpx.Client) -> None:
    links = re.findall(r'href="((?:/shop|http)[^"]*)"', page(browser, "/console"))

    assert [httpx.URL(link).path for link in links] == [
        "/shop",
        "/ledger.html",
        "/sendgrid/_sandbox/mailbox.html",
        "/faults.html",
    ]
    for link in links:
        answer = browser.get(link)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


def test_a_mail_is_read_and_sent_again_once_and_who_had_it_sent_is_told(browser: httpx.Client) -> None:
    path = f"/console/orders/{placed(browser, 'mailed')}"
    order = until_shown(browser, path, "delivered")
    (mail,) = re.findall(r'href="(/console/mails/[^"]+)"', order)

    shown = page(browser, mail)
    letter = browser.get(f"{mail}/html")
    pressed = [browser.post(f"{mail}/resend", data={"key": key_of(shown, "resend")}) for _ in range(2)]

    assert "Hello Ada" in shown
    assert "delivered" in shown
    assert "sandbox" in letter.headers["content-security-policy"]
    assert "<html" in letter.text
    assert [(each.status_code, each.headers["location"]) for each in pressed] == [(303, path)] * 2
    assert page(browser, path).count("sent again by local") == 1


def test_an_order_that_needs_no_review_is_not_marked_as_reviewed(browser: httpx.Client) -> None:
    order_id = placed(browser, "well")

    pressed = browser.post(f"/console/orders/{order_id}/markReviewed", data={"key": "well", "finding": "nothing"})

    assert pressed.status_code == 303
    shown = page(browser, f"/console/orders/{order_id}")
    assert "Mark reviewed" not in shown
    assert "A person has looked" not in shown


async def test_the_bench_looks_on_as_a_browser_does(browser: httpx.Client) -> None:
    waiting = placed(browser, "looked-at", payment_method="pm_card_authenticationRequired")
    onlooker = Onlooker(browser.base_url.netloc.decode(), [], f"/console/orders/{waiting}")
    looking = asyncio.create_task(onlooker.look())
    try:
        # The board, the page of its newest order, the page of the one that waits, and the stream that this one has.
        async with asyncio.timeout(PATIENCE_SECONDS):
            while onlooker.pages < 3 or not onlooker.events:  # noqa: ASYNC110  (it has no event of its own to wait for)
                await asyncio.sleep(0.02)
        assert not looking.done()
    finally:
        looking.cancel()
        await asyncio.wait([looking])


def test_a_declined_order_says_why(browser: httpx.Client) -> None:
    order_id = placed(browser, "declined", payment_method="pm_card_chargeDeclinedInsufficientFunds")

    assert "insufficient funds" in page(browser, f"/console/orders/{order_id}")


def test_a_refund_that_is_pressed_twice_gives_back_once(browser: httpx.Client) -> None:
    order_id = placed(browser, "refunded")
    path = f"/console/orders/{order_id}"
    form = {"key": key_of(page(browser, path), "refund"), "amount": "5.00", "currency_code": "USD", "reason": "chipped"}

    pressed = [browser.post(f"{path}/refund", data=form) for _ in range(2)]

    assert [each.status_code for each in pressed] == [303, 303]
    assert browser.get(f"/api/v1/orders/{order_id}").json()["refunded"]["minor_units"] == 500
    assert "chipped" in page(browser, path)


def test_what_cannot_be_done_is_told_on_a_page(browser: httpx.Client) -> None:
    path = f"/console/orders/{placed(browser, 'refused')}"

    no_amount = browser.post(f"{path}/refund", data={"key": "no-amount", "amount": "much", "currency_code": "USD"})
    too_late = browser.post(f"{path}/cancel", data={"key": "too-late"})
    unknown = browser.post(f"{path}/destroy", data={"key": "unknown"})

    assert (no_amount.status_code, too_late.status_code, unknown.status_code) == (400, 409, 404)
    assert "write 12.50" in no_amount.text
    assert "give it back with RefundOrder" in too_late.text
    assert "Cancel</button>" not in page(browser, path)


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}]
)
def test_another_site_presses_no_button(browser: httpx.Client, headers: dict[str, str]) -> None:
    order_id = placed(browser, "theirs")

    pressed = browser.post(f"/console/orders/{order_id}/refund", data={"key": "theirs"}, headers=headers)

    assert pressed.status_code == 403
    assert browser.get(f"/api/v1/orders/{order_id}").json()["refunded"]["minor_units"] == 0


def test_a_form_of_any_size_is_not_read(browser: httpx.Client) -> None:
    pressed = browser.post("/console/orders/x/refund", data={"reason": "x" * 10_000})

    assert pressed.status_code == 413


def test_an_order_that_is_not_there_is_a_page_too(browser: httpx.Client) -> None:
    missing = browser.get("/console/orders/01980000-0000-7000-8000-000000000001")

    assert missing.status_code == 404
    assert "Back to the board" in missing.text


def test_what_was_signed_in_with_is_kept_from_scripts_and_other_sites(browser: httpx.Client) -> None:
    signed_in = browser.post("/console/sign-in", data={"key": "a-key"}, headers={"sec-fetch-site": "same-origin"})
    browser.cookies.clear()

    cookie = signed_in.headers["set-cookie"]
    assert signed_in.headers["location"] == "/console"
    for attribute in ("HttpOnly", "SameSite=strict", "Path=/console"):
        assert attribute in cookie


def test_changes_of_an_order_are_told_as_they_happen(browser: httpx.Client) -> None:
    order_id = placed(browser, "watched")
    with browser.stream("GET", f"/console/orders/{order_id}/watch") as events:
        lines = events.iter_lines()
        first = next(line for line in lines if line.startswith("data:"))
        browser.post(f"/api/v1/orders/{order_id}:startProcessing", json={}, headers={"Idempotency-Key": "begin"})
        second = next(line for line in lines if line.startswith("data:"))

    assert '"state":"PAID"' in first
    assert '"state":"PROCESSING"' in second


@pytest.mark.parametrize("name", ["console.css", "console.js"])
def test_what_pages_load_is_here_and_loads_nothing_from_elsewhere(browser: httpx.Client, name: str) -> None:
    answer = browser.get(f"/console/{name}")

    assert answer.status_code == 200
    assert "//" not in re.sub(r"(?m)^\s*//.*$|https?://www\.w3\.org", "", answer.text)
