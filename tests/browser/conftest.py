"""A real Chromium before a real mesh. `make browser` installs what it takes; else these tests say what is missing."""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.whole_mesh import EXAMPLE

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="`make browser` installs it")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: `make browser` installs it")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"

# What axe calls these keeps somebody from using the page.
_SERIOUS = {"serious", "critical"}

_LETTERS = str.maketrans("0123456789", "ghijklmnop")

# Without these Chromium looks for hosts of its own.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--no-sandbox",
)


@dataclass
class Shop:
    """The mesh as the shop's own programs use it.

    Attributes:
        gateway: Its address: "http://127.0.0.1:8080".
        sandbox: The address of the providers.
    """

    gateway: str
    sandbox: str

    def place(self, key: str, **changes: object) -> str:
        """Place an order, and return its id."""
        answer = httpx.post(
            f"{self.gateway}/api/v1/orders", json={**EXAMPLE, **changes}, headers={"Idempotency-Key": key}, timeout=40.0
        )
        answer.raise_for_status()
        return str(answer.json()["order_id"])

    def command(self, order_id: str, name: str, **body: object) -> None:
        """Give a command about an order."""
        httpx.post(
            f"{self.gateway}/api/v1/orders/{order_id}:{name}",
            json=body,
            headers={"Idempotency-Key": f"{order_id}-{name}"},
            timeout=40.0,
        ).raise_for_status()

    def fault(self, provider: str, mode: str, **details: object) -> None:
        """Have a provider misbehave; an empty mode ends it."""
        if mode:
            httpx.put(f"{self.sandbox}/faults/{provider}", json={"mode": mode, **details}).raise_for_status()
        else:
            httpx.delete(f"{self.sandbox}/faults").raise_for_status()


@dataclass
class Tab:
    """One page in the browser.

    Attributes:
        page: Playwright's.
        shop: Where its paths are.
        scheme: Light or dark.
        complaints: What it wrote to the console as warnings or errors.
    """

    page: Any
    shop: Shop
    scheme: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a path of the gateway."""
        self.page.goto(f"{self.shop.gateway}{path}")

    def open_sandbox(self, path: str) -> None:
        """Go to a path of the sandbox."""
        self.page.goto(f"{self.shop.sandbox}{path}")

    def key(self, name: str) -> str:
        """Return an idempotency key for an order of this test alone."""
        # In letters: a long number may look like a card's, and is refused.
        return f"{name}-{id(self.page):x}".translate(_LETTERS)

    def serious_faults(self) -> list[str]:
        """Return what axe finds that keeps people out."""
        found = axe.Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in _SERIOUS]

    def keep(self, name: str) -> None:
        """Keep a picture of the whole page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{self.scheme}.png", full_page=True)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("browser")
    values = environment(folder / "data")
    mesh = MeshProcess(["up"], values, folder / "log")
    try:
        mesh.wait_until("Ctrl-C stops")
        yield Shop(f"http://{values['ORDERMESH_GATEWAY_ADDR']}", f"http://{values['SANDBOX_ADDR']}")
    finally:
        mesh.signal(signal.SIGTERM)
        mesh.wait()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs chromium: `apt install chromium`")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(_QUIET))
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def tab(request: pytest.FixtureRequest, chromium: Any, shop: Shop) -> Iterator[Tab]:  # noqa: ANN401  (playwright's)
    """Yield a page that must not complain."""
    context = chromium.new_context(color_scheme=request.param, viewport={"width": 1300, "height": 900})
    tab = Tab(context.new_page(), shop, request.param)
    tab.page.on("console", lambda said: tab.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    yield tab
    context.close()
    assert tab.complaints == []
