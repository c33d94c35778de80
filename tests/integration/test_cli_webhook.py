"""`ordermesh webhook` against a running order service: what it does, shows and says to mistakes."""

import asyncio
import json
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

from order_svc.__main__ import MIGRATIONS
from tests.fakes.mesh_process import environment, ordermesh
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_service import Shop, a_shop
from tests.fakes.webhook_shop import DELIVERED, a_hook_shop, taken
from tests.fakes.webhook_sink import webhook_sink


async def told(shop: Shop, tmp_path: Path, *arguments: str) -> CompletedProcess[str]:
    """Run a command against the shop's order service, which goes on meanwhile."""
    values = {**environment(tmp_path / "cli"), "ORDER_ADDR": shop.address}
    return await asyncio.to_thread(partial(ordermesh, "webhook", *arguments, values=values))


async def test_an_endpoint_from_its_making_to_its_end(tmp_path: Path, make_database: MakeDatabase) -> None:
    async with (
        a_shop(tmp_path, make_database("sqlite", MIGRATIONS)) as shop,
        webhook_sink() as (sink, url),
        a_hook_shop(shop) as hooked,
    ):
        run = partial(told, shop, tmp_path)
        created = await run("create", url, "-e", "order.paid", "--description", "books", "--key", "k", "-o", "json")
        endpoint = json.loads(created.stdout)
        order_id = await hooked.place()
        await taken(sink.next, 1)
        await hooked.until(lambda each: each.state == DELIVERED)
        logged = await run("log", "--order", order_id, "--state", "delivered")
        (delivery,) = json.loads((await run("log", "-o", "json")).stdout)
        replayed = await run("replay", delivery["delivery_id"])
        (again,) = await taken(sink.next, 1)
        rotated = await run("rotate", endpoint["endpoint_id"])
        updated = await run("update", endpoint["endpoint_id"], "--disable", "--all-events")
        listed = await run("list")
        deleted = await run("delete", endpoint["endpoint_id"])
        none = await run("list")
        nothing = await run("log")

    assert endpoint["secret"].startswith("whsec_")
    assert (endpoint["event_types"], endpoint["description"]) == (["order.paid"], "books")
    assert all(word in logged.stdout for word in ("DELIVERED", "order.paid", order_id, "200"))
    assert "PENDING" in replayed.stdout
    assert again.headers["webhook-id"] == delivery["message_id"]
    assert "whsec_" in rotated.stdout
    assert "not told again" in rotated.stdout
    assert "everything" in updated.stdout
    assert "switched off" in listed.stdout
    assert "whsec_" not in listed.stdout
    assert deleted.returncode == 0
    assert "No webhook endpoints." in none.stdout
    assert "No webhook deliveries." in nothing.stdout


async def test_mistakes_are_told_with_what_to_do(tmp_path: Path, make_database: MakeDatabase) -> None:
    nowhere = "01980000-0000-7000-8000-000000000001"
    async with a_shop(tmp_path, make_database("sqlite", MIGRATIONS)) as shop, shop.open():
        run = partial(told, shop, tmp_path)
        plain = await run("create", "http://shop.example/hooks")
        unknown_event = await run("create", "https://shop.example/hooks", "-e", "order.payed")
        unknown = await run("rotate", nowhere)
        no_delivery = await run("replay", nowhere)
        both = await run("update", nowhere, "--all-events", "-e", "order.paid")

    assert (plain.returncode, "has to be https" in plain.stderr) == (1, True)
    assert (unknown_event.returncode, "needs_review" in unknown_event.stderr) == (1, True)
    assert (unknown.returncode, "ordermesh webhook list" in unknown.stderr) == (1, True)
    assert (no_delivery.returncode, "ordermesh webhook log" in no_delivery.stderr) == (1, True)
    assert (both.returncode, "exclude each other" in both.stderr) == (2, True)
