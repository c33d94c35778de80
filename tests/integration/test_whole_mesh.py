"""What a shop is promised, tried on the whole mesh over real sockets, each part a process of its own."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.fakes.mesh_process import MeshProcess, environment

Json = dict[str, Any]
T = TypeVar("T")

EXAMPLE: Json = json.loads((Path(__file__).parents[2] / "examples" / "order.json").read_text())
PARTS = ("sandbox", "tax", "payment", "notify", "order", "gateway")

# What has to happen by itself is waited for this long: it takes about a second on an idle machine.
PATIENCE_SECONDS = 40.0


class Mesh:
    """Six processes."""

    def __init__(self, values: dict[str, str], folder: Path) -> None:
        self.values = values
        self._folder = folder
        self.parts: dict[str, MeshProcess] = {}

    def start(self, *names: str) -> None:
        """Start parts and wait until each listens."""
        for name in names:
            self.parts[name] = MeshProcess(["serve", name], self.values, self._folder / f"{name}.log")
        for name in names:
            self.parts[name].wait_until("listens on")
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        """Wait until the gateway sees every service serving; a part that was restarted is found within a second."""
        end = time.monotonic() + PATIENCE_SECONDS
        while httpx.get(f"http://{self.values['ORDERMESH_GATEWAY_ADDR']}/readyz").status_code != httpx.codes.OK:
            assert time.monotonic() < end, "the gateway did not see every service serving"
            time.sleep(0.1)

    def stop(self) -> None:
        """End all of them at once."""
        for part in self.parts.values():
            part.kill()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("mesh")
    values = environment(folder / "data")
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        values["ORDERMESH_DATABASE_URL"] = server.create_database()
    running = Mesh(values, folder)
    try:
        running.start(*PARTS)
        yield running
    finally:
        running.stop()


@pytest.fixture
async def rest(mesh: Mesh) -> AsyncIterator[httpx.AsyncClient]:
    base_url = f"http://{mesh.values['ORDERMESH_GATEWAY_ADDR']}/api/v1"
    async with httpx.AsyncClient(base_url=base_url, timeout=30) as client:
        yield client


@pytest.fixture
async def sandbox(mesh: Mesh) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{mesh.values['SANDBOX_ADDR']}", timeout=30) as client:
        yield client
        await client.delete("/faults")


async def place(rest: httpx.AsyncClient, key: str, **changes: object) -> httpx.Response:
    """Place an order as a shop does: while a service cannot be reached, again with the same key."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = await rest.post("/orders", json={**EXAMPLE, **changes}, headers={"Idempotency-Key": key})
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > end:
            return answer
        await asyncio.sleep(0.2)


async def ledger(sandbox: httpx.AsyncClient, order_id: str) -> Json:
    answer: Json = (await sandbox.get("/ledger", params={"order_id": order_id})).json()
    return answer


async def known(rest: httpx.AsyncClient) -> list[tuple[str, str, int]]:
    """Return every order's id, state and version."""
    orders: list[Json] = (await rest.get("/orders", params={"page_size": 200})).json()["orders"]
    return [(order["order_id"], order["state"], order["version"]) for order in orders]


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """Return the first thing that `look` finds; it is what happens by itself, in another process."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := await look()):
        assert time.monotonic() < end, f"it did not happen within {PATIENCE_SECONDS:.0f} s"
        await asyncio.sleep(0.1)
    return found


async def mails_of(sandbox: httpx.AsyncClient, order_id: str) -> list[Json]:
    return await until(lambda: _mails(sandbox, order_id))


async def _mails(sandbox: httpx.AsyncClient, order_id: str) -> list[Json]:
    mails: list[Json] = (await ledger(sandbox, order_id))["mails"]
    return mails


async def test_an_order_is_taxed_charged_mailed_and_recorded(
    rest: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    answer = await place(rest, "whole-1")

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert answer.headers["location"] == f"/api/v1/orders/{order['order_id']}"
    assert order["state"] == "PAID"
    sums = [order["subtotal"]["minor_units"], order["tax"]["amount"]["minor_units"], order["total"]["minor_units"]]
    assert sums[0] + sums[1] == sums[2]
    assert order["tax"]["source"] == "AVATAX"
    assert order["payment"]["provider_payment_id"].startswith("pi_")
    (mail,) = await mails_of(sandbox, order["order_id"])
    assert mail["recipient"] == EXAMPLE["customer"]["email"]
    (document,) = await until(lambda: _documents(sandbox, order["order_id"]))
    assert (document["type"], document["status"]) == ("SalesInvoice", "Committed")
    (charge,) = (await ledger(sandbox, order["order_id"]))["charges"]
    assert (charge["amount"], charge["currency"]) == (sums[2], order["total"]["currency_code"].lower())


async def _documents(sandbox: httpx.AsyncClient, order_id: str) -> list[Json]:
    documents: list[Json] = (await ledger(sandbox, order_id))["documents"]
    return documents


async def test_twenty_equal_calls_at_once_make_one_order_and_one_charge(
    rest: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    answers = await asyncio.gather(*(place(rest, "whole-20") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {201}
    (order_id,) = {answer.json()["order_id"] for answer in answers}
    assert len((await ledger(sandbox, order_id))["charges"]) == 1


async def test_a_key_that_stood_for_another_order_is_refused_and_changes_nothing(
    rest: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    first = (await place(rest, "whole-other")).json()
    before = await known(rest)

    refused = await place(rest, "whole-other", reference="something else")

    assert refused.status_code == 409
    assert refused.json()["reason"] == "REQUEST_ID_REUSED"
    assert await known(rest) == before
    assert len((await ledger(sandbox, first["order_id"]))["charges"]) == 1


async def test_a_declined_card_is_402_with_its_decline_code_and_charges_nothing(
    rest: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    refused = await place(rest, "whole-declined", payment_method="pm_card_visa_chargeDeclinedInsufficientFunds")

    problem = refused.json()
    assert refused.status_code == 402
    assert (problem["reason"], problem["decline_code"]) == ("PAYMENT_DECLINED", "insufficient_funds")
    assert (await rest.get(f"/orders/{problem['order_id']}")).json()["state"] == "FAILED"
    assert (await ledger(sandbox, problem["order_id"]))["charges"] == []
    assert (await place(rest, "whole-declined", payment_method="pm_card_visa_chargeDeclinedInsufficientFunds")).json()[
        "order_id"
    ] == problem["order_id"]


async def test_an_order_is_placed_at_the_default_rate_while_avatax_is_away(
    rest: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    await sandbox.put("/faults/avatax", json={"mode": "outage"})

    order = (await place(rest, "whole-avatax")).json()

    assert order["state"] == "PAID"
    assert order["tax"]["source"] == "FALLBACK"
    subtotal, tax = order["subtotal"]["minor_units"], order["tax"]["amount"]["minor_units"]
    assert abs(tax - subtotal * 0.08) <= len(order["items"])
    await sandbox.delete("/faults")
    (document,) = await until(lambda: _documents(sandbox, order["order_id"]))
    assert document["status"] == "Committed"


async def test_an_address_that_makes_no_sense_is_refused_and_not_taxed_by_guess(
    rest: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    refused = await place(rest, "whole-address", ship_to={**EXAMPLE["ship_to"], "postal_code": "10001"})

    problem = refused.json()
    assert refused.status_code == 400, refused.text
    assert problem["reason"] == "ADDRESS_INVALID"
    assert problem["errors"][0]["field"].startswith("ship_to")
    assert (await ledger(sandbox, problem["order_id"]))["charges"] == []


async def test_an_order_is_paid_at_once_while_sendgrid_is_away_and_one_mail_follows(
    rest: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    await sandbox.put("/faults/sendgrid", json={"mode": "outage"})

    order = (await place(rest, "whole-sendgrid")).json()

    assert order["state"] == "PAID"
    assert await _mails(sandbox, order["order_id"]) == []
    await sandbox.delete("/faults")
    assert len(await mails_of(sandbox, order["order_id"])) == 1


async def test_an_order_killed_between_charge_and_record_is_paid_once_when_it_starts_again(
    mesh: Mesh, rest: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    slow = {"mode": "latency", "operation": "payment_intents.confirm", "latency_ms": 1500}
    await sandbox.put("/faults/stripe", json=slow)
    calling = asyncio.create_task(place(rest, "whole-killed"))
    (order,) = await until(lambda: _charging(rest))

    mesh.parts["order"].kill()
    await asyncio.gather(calling, return_exceptions=True)
    await until(lambda: _charges(sandbox, order["order_id"]))
    mesh.start("order")

    async def paid() -> bool:
        answer = await rest.get(f"/orders/{order['order_id']}")
        return answer.status_code == 200 and bool(answer.json()["state"] == "PAID")

    await until(paid)
    assert len(await mails_of(sandbox, order["order_id"])) == 1
    assert len(await _charges(sandbox, order["order_id"])) == 1
    again = await place(rest, "whole-killed")
    assert again.json()["order_id"] == order["order_id"]


async def _charging(rest: httpx.AsyncClient) -> list[Json]:
    """Return the order that is being charged: its tax is known and it is not paid yet."""
    orders: list[Json] = (await rest.get("/orders", params={"state": "PENDING"})).json()["orders"]
    return [order for order in orders if "tax" in order]


async def _charges(sandbox: httpx.AsyncClient, order_id: str) -> list[Json]:
    charges: list[Json] = (await ledger(sandbox, order_id))["charges"]
    return charges


MUTILATIONS: dict[str, Callable[[Json], None]] = {
    "items": lambda order: order.update(items=[]),
    "items[0].quantity": lambda order: order["items"][0].update(quantity=0),
    "items[1].quantity": lambda order: order["items"][1].update(quantity=-1),
    "items[0].unit_price.minor_units": lambda order: order["items"][0]["unit_price"].update(minor_units=-5),
    "items[1].unit_price.currency_code": lambda order: order["items"][1]["unit_price"].update(currency_code="EUR"),
    "items[0].unit_price.currency_code": lambda order: order["items"][0]["unit_price"].update(currency_code="ZZZ"),
    "customer.email": lambda order: order["customer"].update(email="nobody"),
    "payment_method": lambda order: order.update(payment_method="4242424242424242"),
    "ship_to.region_code": lambda order: order["ship_to"].update(region_code="usa"),
    "customer": lambda order: order.pop("customer"),
    "items[0].sku": lambda order: order["items"][0].update(sku=7),
    "surprise": lambda order: order.update(surprise=1),
}


@pytest.mark.parametrize("field", MUTILATIONS)
async def test_a_wrong_field_is_named_and_leaves_no_order(field: str, rest: httpx.AsyncClient) -> None:
    order = json.loads(json.dumps(EXAMPLE))
    MUTILATIONS[field](order)
    before = await known(rest)

    refused = await rest.post("/orders", json=order, headers={"Idempotency-Key": f"wrong-{field}"})

    assert refused.status_code == 400, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert field in {error["field"] for error in refused.json()["errors"]}
    assert await known(rest) == before


async def test_a_call_without_a_key_is_refused(rest: httpx.AsyncClient) -> None:
    refused = await rest.post("/orders", json=EXAMPLE)

    assert refused.status_code == 400
    assert "Idempotency-Key" in refused.text


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"\xff\xfe", 400), (b"null", 400), (b"[]", 400), (b'{"reference": "\xc3\x28"}', 400), (b"x" * 300_000, 413)],
)
async def test_a_body_that_is_no_order_is_refused(body: bytes, status: int, rest: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "body", "content-type": "application/json"}

    assert (await rest.post("/orders", content=body, headers=headers)).status_code == status
