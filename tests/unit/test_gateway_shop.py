"""The demo shop is whole, comes from one place, runs under a strict policy, and repeats with the same key."""

import re
from collections.abc import AsyncIterator
from importlib import resources

import httpx
import pytest
from starlette.applications import Starlette

from gateway.shop.site import POLICY, routes
from sandbox.stripe.cards import card_named

SANDBOX = "http://127.0.0.1:8090"
PAGES = ("/shop", "/shop/checkout", "/shop/orders/01a2091a-4c93-7fd5-a763-b13760919114")
FILES = resources.files("gateway.shop").joinpath("files")


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=routes(SANDBOX)))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_whole_and_loads_nothing_from_elsewhere(browser: httpx.AsyncClient, path: str) -> None:
    page = await browser.get(path)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for loaded in re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', page.text):
        assert (await browser.get(loaded)).status_code == 200, loaded
    links = re.findall(r'<a[^>]*href="([^"#]+)"', page.text)
    assert {link for link in links if "//" in link} <= {f"{SANDBOX}/", f"{SANDBOX}/ledger.html"}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_runs_nothing_inline_and_its_policy_allows_none(browser: httpx.AsyncClient, path: str) -> None:
    page = await browser.get(path)

    assert page.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert page.headers["referrer-policy"] == "same-origin"
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)


@pytest.mark.parametrize("path", PAGES)
async def test_every_field_of_a_page_has_a_label_and_every_part_a_name(browser: httpx.AsyncClient, path: str) -> None:
    page = (await browser.get(path)).text

    fields = re.findall(r'<(?:input|select)[^>]*\sid="([^"]+)"', page)
    assert all(f'<label for="{field}">' in page for field in fields)
    for named in re.findall(r'aria-labelledby="([^"]+)"', page):
        assert f'id="{named}"' in page


async def test_a_page_that_did_not_change_is_not_sent_again(browser: httpx.AsyncClient) -> None:
    first = await browser.get("/shop/api.js")

    second = await browser.get("/shop/api.js", headers={"if-none-match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["content-security-policy"] == POLICY


@pytest.mark.parametrize("file", sorted(each.name for each in FILES.iterdir() if each.name.endswith(".js")))
def test_a_script_finds_what_it_imports_and_writes_no_markup(file: str) -> None:
    script = FILES.joinpath(file).read_text()

    for names, module in re.findall(r'import \{ ([^}]+) \} from "\./([^"]+)"', script):
        exported = FILES.joinpath(module).read_text()
        for name in names.split(", "):
            assert re.search(rf"export (?:async )?(?:const|function|class) {name}\b", exported), (module, name)
    # Names of articles and answers of the API are text, and stay that.
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script)
    assert len(script.splitlines()) < 200


def test_every_part_of_a_page_that_a_script_looks_for_is_there() -> None:
    templates = resources.files("gateway.shop").joinpath("templates")
    always = templates.joinpath("base.html").read_text()
    for script, template in (("catalogue", "catalogue"), ("checkout", "checkout"), ("order", "order")):
        page = always + templates.joinpath(f"{template}.html").read_text()
        wanted = re.findall(r'(?:find|show)\("([^"]+)"', FILES.joinpath(f"{script}.js").read_text())
        assert [part for part in wanted if f'id="{part}"' not in page] == []


def test_the_cards_that_are_offered_are_cards_of_the_sandbox() -> None:
    cards = re.findall(r'method: "([^"]+)"', FILES.joinpath("cards.js").read_text())

    assert len(cards) >= 5
    assert all(card_named(card) for card in cards)
