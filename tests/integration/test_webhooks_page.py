"""docs/webhooks.md: its receiver runs as it is written there, its tables are the truth; only the port is replaced."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from order_svc.__main__ import MIGRATIONS
from order_svc.domain.order import Stage, State
from order_svc.domain.webhook import EVENT_TYPES, messages_of
from tests.fakes.mesh_process import environment
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_samples import an_event, an_order
from tests.fakes.order_service import a_shop
from tests.fakes.unused_ports import unused_port
from tests.fakes.webhook_shop import DELIVERED, PATIENCE_SECONDS, a_hook_shop

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
(RECEIVER,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(EXAMPLE,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def test_every_event_is_in_the_table_and_no_other() -> None:
    assert tuple(re.findall(r"^\| `(order\.\w+)` \|", PAGE, re.MULTILINE)) == EVENT_TYPES


def test_the_example_has_the_shape_of_a_message() -> None:
    order = an_order(Stage.SETTLED, state=State.PAID)
    (message,) = messages_of(order, an_event(order, "payment.charged"))
    example, data = json.loads(EXAMPLE), message.payload["data"]

    assert isinstance(data, dict)
    assert list(example) == list(message.payload)
    assert {name: type(value) for name, value in example["data"].items()} == {
        name: type(value) for name, value in data.items()
    }


@asynccontextmanager
async def receiver(port: int, secret: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the receiver of the page."""
    code = RECEIVER.replace("8000", str(port))
    values = environment(folder) | {"WEBHOOK_SECRET": secret}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code, env=values, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_the_receiver_takes_what_is_signed_once_and_nothing_else(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    port = unused_port()
    async with (
        asyncio.timeout(3 * PATIENCE_SECONDS),
        a_shop(tmp_path, make_database("sqlite", MIGRATIONS)) as shop,
        a_hook_shop(shop) as hooked,
    ):
        endpoint = await hooked.create(f"http://localhost:{port}/hooks", "order.paid")
        async with receiver(port, endpoint.secret, tmp_path) as process, httpx.AsyncClient() as stranger:
            while True:
                try:
                    forged = await stranger.post(endpoint.url, content=EXAMPLE)
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
            await hooked.place()
            (delivered,) = await hooked.until(lambda each: each.state == DELIVERED)
            await hooked.replay(delivered.delivery_id, "again")
            await hooked.until(lambda each: each.state == DELIVERED)
            process.kill()
            assert process.stdout is not None
            printed = await process.stdout.read()
            await process.wait()

    assert forged.status_code == 401
    assert delivered.response_status == 204
    assert printed == b"order.paid PAID\n"
