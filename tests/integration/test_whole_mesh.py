"""What a shop is promised, tried on the whole mesh over real sockets, each part a process of its own."""

import json
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from tests.fakes.whole_mesh import EXAMPLE, Json, Mesh, ledger, place, running_mesh, until


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    settings = {}
    if request.param == "postgres":
        settings["ORDERMESH_DATABASE_URL"] = request.getfixturevalue("postgres_server").create_database()
    with running_mesh(tmp_path_factory.mktemp("mesh"), **settings) as running:
        yield running


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


async def known(rest: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Return every order's id and state. Work beside an order may still be under way, and raises its version."""
    orders: list[Json] = (await rest.get("/orders", params={"page_size": 200})).json()["orders"]
    return [(order["order_id"], order["state"]) for order in orders]


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
