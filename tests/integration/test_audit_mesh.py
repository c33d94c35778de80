"""`ordermesh audit` on a real mesh: clean, then with money that nobody ordered, then repaired."""

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from payment_svc.domain.payment import payment_id_of
from tests.fakes.mesh_process import MeshProcess, environment, ordermesh
from tests.fakes.sandbox_world import AVATAX_AUTH, STRIPE_KEY

Json = dict[str, Any]

EXAMPLE: Json = json.loads((Path(__file__).parents[2] / "examples" / "order.json").read_text())
NO_ORDER = "00000000-0000-7000-8000-000000000999"

# Mail and tax document follow an order within a second on an idle machine.
PATIENCE_SECONDS = 90.0


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a mesh with a paid order, one paid at the fallback rate, a declined one and one that waits for 3-D Secure."""
    folder = tmp_path_factory.mktemp("audited")
    values = environment(folder / "data")
    mesh = MeshProcess(["up"], values, folder / "up.log")
    try:
        mesh.wait_until("Data lies in")
        place(values, "paid", "pm_card_visa")
        place(values, "declined", "pm_card_chargeDeclined")
        place(values, "waiting", "pm_card_threeDSecure2Required")
        sandbox(values, "PUT", "/faults/avatax", json={"mode": "outage"})
        place(values, "fallback", "pm_card_visa")
        sandbox(values, "DELETE", "/faults")
        until_clean(values)
        yield values
    finally:
        mesh.kill()


def place(values: dict[str, str], key: str, payment_method: str) -> None:
    httpx.post(
        f"http://{values['ORDERMESH_GATEWAY_ADDR']}/api/v1/orders",
        json={**EXAMPLE, "payment_method": payment_method},
        headers={"Idempotency-Key": key},
        timeout=30,
    )


def sandbox(values: dict[str, str], method: str, path: str, **more: Any) -> Json:  # noqa: ANN401  (httpx's own options)
    answer = httpx.request(method, f"http://{values['SANDBOX_ADDR']}{path}", timeout=30, **more)
    assert answer.is_success, answer.text
    found: Json = answer.json() if answer.content else {}
    return found


def audit(values: dict[str, str], *arguments: str) -> tuple[int, Json]:
    """Audit for a program; return the exit code and the document.

    A service that met an outage leaves its provider alone for a moment more; until then nothing can be read.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        done = ordermesh("audit", "--output", "json", *arguments, values=values)
        if done.returncode != 3:
            document: Json = json.loads(done.stdout)
            return done.returncode, document
        assert time.monotonic() < end, done.stderr
        time.sleep(0.2)


def until_clean(values: dict[str, str]) -> Json:
    """Audit without any grace until nothing differs any more, and return the summary."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        code, document = audit(values, "--grace", "0")
        summary: Json = document["summary"]
        if code == 0 and not summary["mails_waiting"]:
            return summary
        assert time.monotonic() < end, document
        time.sleep(0.2)


def plant_charge(values: dict[str, str], **metadata: str) -> str:
    """Take 42 dollars at Stripe that no order asked for."""
    form = {
        "amount": "4200",
        "currency": "usd",
        "confirm": "true",
        "payment_method": "pm_card_visa",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
        **{f"metadata[{name}]": value for name, value in metadata.items()},
    }
    intent: str = sandbox(values, "POST", "/stripe/v1/payment_intents", data=form, headers=STRIPE_KEY)["id"]
    return intent


def record_sale(values: dict[str, str], code: str) -> None:
    """Commit a sale over 10 dollars at AvaTax that nobody has paid for."""
    address = {"line1": "400 Broad St", "city": "Seattle", "region": "WA", "postalCode": "98109", "country": "US"}
    document = {
        "type": "SalesInvoice",
        "commit": True,
        "code": code,
        "companyCode": "DEFAULT",
        "customerCode": "c-1",
        "date": "2026-11-01",
        "currencyCode": "USD",
        "addresses": {"singleLocation": address},
        "lines": [{"number": "1", "quantity": 1, "amount": 10}],
    }
    sandbox(values, "POST", "/avatax/api/v2/transactions/create", json=document, auth=AVATAX_AUTH)


def charge(values: dict[str, str], intent: str) -> Json:
    charges: list[Json] = sandbox(values, "GET", "/ledger")["charges"]
    (found,) = [each for each in charges if each["payment_intent"] == intent]
    return found


def test_a_mesh_on_which_everything_went_well_is_clean(values: dict[str, str]) -> None:
    summary = until_clean(values)

    assert summary["orders"] == 4
    assert summary["still_moving"] == 1  # the one that waits for 3-D Secure
    assert (summary["documents"], summary["mails"]) == (2, 2)
    (money,) = summary["money"]
    assert money["kept"] == money["captured"] - money["refunded"] > 0


def test_the_true_up_of_the_fallback_is_told(values: dict[str, str]) -> None:
    (note,) = audit(values, "--grace", "0")[1]["notes"]

    assert note["kind"] == "tax_trued_up"


def test_a_charge_of_another_system_is_counted_and_left_alone(values: dict[str, str]) -> None:
    before = until_clean(values)["foreign"]["payments"]
    intent = plant_charge(values)

    code, document = audit(values, "--grace", "0", "--repair")

    assert (code, document["before"]["summary"]["foreign"]["payments"]) == (0, before + 1)
    assert charge(values, intent)["amount_refunded"] == 0


def test_a_charge_without_an_order_is_found_and_given_back_once(values: dict[str, str]) -> None:
    intent = plant_charge(values, order_id=NO_ORDER, payment_id=payment_id_of(NO_ORDER))

    early, _ = audit(values)
    said = ordermesh("audit", "--grace", "0", values=values)

    assert early == 0, "it may still find its order"
    assert said.returncode == 1
    assert said.stderr == "", "no bar is drawn for nobody"
    (line,) = [line for line in said.stdout.splitlines() if intent in line]
    assert line.startswith(f"{NO_ORDER}  Stripe took 42.00 USD with {intent}")

    repaired = [audit(values, "--grace", "0", "--repair") for _ in range(2)]

    assert [code for code, _ in repaired] == [0, 0]
    assert [each["target"] for each in repaired[0][1]["repairs"]] == [intent]
    assert repaired[1][1]["repairs"] == []
    assert charge(values, intent)["amount_refunded"] == 4200
    assert until_clean(values)["differences"] == 0


def test_a_document_of_an_order_that_was_never_paid_is_found_and_voided(values: dict[str, str]) -> None:
    failed = httpx.get(
        f"http://{values['ORDERMESH_GATEWAY_ADDR']}/api/v1/orders", params={"state": "FAILED"}, timeout=30
    ).json()["orders"][0]["order_id"]
    record_sale(values, failed)

    code, document = audit(values, "--grace", "0", "--repair")

    assert [each["kind"] for each in document["before"]["differences"]] == ["tax_to_void"]
    assert [(each["remedy"], each["done"]) for each in document["repairs"]] == [("void_tax", True)]
    assert code == 0


def test_a_ledger_that_has_fallen_behind_stripe_is_found_and_brought_up_to_date(values: dict[str, str]) -> None:
    ledger = sqlite3.connect(Path(values["ORDERMESH_DATA_DIR"]) / "payment.db", timeout=10, isolation_level=None)
    (payment_id,) = ledger.execute("SELECT payment_id FROM payments WHERE state = 'SUCCEEDED' LIMIT 1").fetchone()
    ledger.execute("UPDATE payments SET state = 'PENDING', captured = 0 WHERE payment_id = ?", (payment_id,))

    code, document = audit(values, "--grace", "0", "--repair")

    read_again = ledger.execute("SELECT state, captured = amount FROM payments WHERE payment_id = ?", (payment_id,))
    assert read_again.fetchone() == ("SUCCEEDED", 1)
    ledger.close()
    (difference,) = document["before"]["differences"]
    assert (difference["kind"], difference["payment_id"]) == ("ledger_differs", payment_id)
    assert [(each["remedy"], each["done"]) for each in document["repairs"]] == [("confirm_payment", True)]
    assert code == 0


def test_where_a_provider_is_away_nothing_is_proved(values: dict[str, str]) -> None:
    sandbox(values, "PUT", "/faults/avatax", json={"mode": "outage"})
    try:
        done = ordermesh("audit", values=values)
    finally:
        sandbox(values, "DELETE", "/faults")

    assert done.returncode == 3
    assert "AvaTax" in done.stderr


def test_an_account_without_the_activity_feed_is_audited_without_it(values: dict[str, str]) -> None:
    fault = {"mode": "error", "status": 403, "operation": "messages.list"}
    sandbox(values, "PUT", "/faults/sendgrid", json=fault)
    try:
        code, document = audit(values)
    finally:
        sandbox(values, "DELETE", "/faults")

    assert code == 0
    assert "no activity feed" in document["summary"]["mails_not_compared"]
