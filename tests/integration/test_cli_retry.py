"""Orders that wait for a person, as the command shows them and takes them up again."""

import asyncio
import json
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

from kernel.errors import Reason, Refusal
from order_svc.__main__ import MIGRATIONS
from tests.fakes.mesh_process import environment, ordermesh
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_requests import place_request
from tests.fakes.order_service import Shop, a_shop


async def told(shop: Shop, tmp_path: Path, *arguments: str) -> CompletedProcess[str]:
    """Run a command against the shop's order service, which goes on meanwhile."""
    values = {**environment(tmp_path / "cli"), "ORDER_ADDR": shop.address}
    return await asyncio.to_thread(partial(ordermesh, *arguments, values=values))


async def test_a_parked_order_is_listed_with_what_is_wrong_and_goes_on_after_a_retry(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    async with a_shop(tmp_path, make_database("sqlite", MIGRATIONS)) as shop:
        shop.peers.payments.faults.plan("charge", Refusal(Reason.PROVIDER_CONTRADICTS, "another amount"))
        async with shop.open() as orders:
            order_id = (await orders.PlaceOrder(place_request())).order.order_id
            listed = await told(shop, tmp_path, "order", "list", "--needs-review")
            explained = await told(shop, tmp_path, "explain", order_id)
            retried = await told(shop, tmp_path, "order", "retry", order_id, "--key", "k", "-o", "json")
            again = await told(shop, tmp_path, "order", "retry", order_id, "--key", "k")
            none = await told(shop, tmp_path, "order", "list", "--needs-review")
            unknown = await told(shop, tmp_path, "order", "retry", "01980000-0000-7000-8000-000000000001")

    assert order_id in listed.stdout
    assert "PROVIDER_CONTRADICTS" in listed.stdout
    assert f"ordermesh order retry {order_id}" in explained.stdout
    assert (retried.returncode, json.loads(retried.stdout)["needs_review"]) == (0, False)
    assert "goes on by itself" in retried.stderr
    assert again.returncode == 0
    assert "No orders." in none.stdout
    assert unknown.returncode == 1
    assert "There is no order" in unknown.stderr
