"""Mails as the command shows them."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from chassis.telemetry.setup import start_telemetry
from notify_svc.__main__ import running
from notify_svc.config import NotifyConfig
from tests.fakes.mesh_process import environment, ordermesh


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """Run a notification service whose shop has a template of its own."""
    templates = tmp_path / "templates"
    (templates / "de").mkdir(parents=True)
    (templates / "de" / "order_shipped.html").write_text("<p>{{ shop }} {{ total }}</p>", "utf-8")
    config = NotifyConfig.from_env(
        {
            "ORDERMESH_DATA_DIR": str(tmp_path),
            "NOTIFY_ADDR": "127.0.0.1:0",
            "MAIL_TEMPLATES_DIR": str(templates),
            "MAIL_FROM": "Mugs <orders@shop.example>",
        }
    )
    telemetry = start_telemetry("notify", tmp_path, None)
    try:
        async with running(config, telemetry) as address:
            yield address
    finally:
        await telemetry.aclose()


async def told(address: str, tmp_path: Path, *arguments: str) -> CompletedProcess[str]:
    values = {**environment(tmp_path / "cli"), "NOTIFY_ADDR": address}
    return await asyncio.to_thread(partial(ordermesh, "mail", "preview", *arguments, values=values))


async def test_a_mail_is_shown_as_text_or_page_in_the_shops_templates(address: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    text = await told(address, tmp_path, "payment-failed")
    shown = await told(address, tmp_path, "order-shipped", "--locale", "de-AT", "--html")
    written = await told(address, tmp_path, "order-shipped", "--locale", "de-AT", "--html", "--output", str(page))
    nowhere = await told(address, tmp_path, "order-shipped", "--output", str(tmp_path / "no" / "page.html"))

    assert text.returncode == 0, text.stderr
    assert "insufficient funds" in text.stdout
    assert "payment of order SAMPLE-1042 failed  [en-US]" in text.stderr
    assert shown.stdout == "<p>Mugs €\N{NO-BREAK SPACE}46,15</p>"
    assert (written.stdout, page.read_text("utf-8")) == ("", shown.stdout)
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (1, True)


async def test_a_kind_that_there_is_not_is_wrong_usage_and_nobody_there_is_told(tmp_path: Path) -> None:
    wrong = await told("127.0.0.1:1", tmp_path, "birthday")
    away = await told("127.0.0.1:1", tmp_path, "order-shipped")

    assert (wrong.returncode, "order-cancelled" in wrong.stderr) == (2, True)
    assert (away.returncode, "NOTIFY_ADDR" in away.stderr) == (3, True)
