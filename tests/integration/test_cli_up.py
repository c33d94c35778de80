"""`ordermesh up` as a process: it takes orders over HTTP and gRPC, explains and traces them, stops, and remembers."""

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.mesh_process import MeshProcess, environment, ordermesh

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "order.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(tmp_path_factory.mktemp("mesh") / "data")


@pytest.fixture(scope="module")
def mesh(values: dict[str, str]) -> Iterator[MeshProcess]:
    process = up(values)
    yield process
    process.kill()


def up(values: dict[str, str]) -> MeshProcess:
    process = MeshProcess(["up"], values, Path(values["ORDERMESH_DATA_DIR"]).with_name("up.log"))
    process.wait_until("Data lies in")
    return process


def place_over_rest(values: dict[str, str], key: str) -> dict[str, Any]:
    answer = httpx.post(
        f"http://{values['ORDERMESH_GATEWAY_ADDR']}/api/v1/orders",
        content=EXAMPLE.read_bytes(),
        headers={"Idempotency-Key": key, "content-type": "application/json"},
        timeout=20,
    )
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


def test_a_mesh_stops_on_sigterm_with_exit_code_0_and_finds_its_orders_again(tmp_path: Path) -> None:
    values = environment(tmp_path / "data")
    first = up(values)
    try:
        order = place_over_rest(values, "k1")
        first.signal(signal.SIGTERM)
        assert first.wait() == 0, first.log()
    finally:
        first.kill()

    second = up(values)
    try:
        assert place_over_rest(values, "k1")["order_id"] == order["order_id"]
        got = ordermesh("order", "get", order["order_id"], "-o", "json", values=values)
        assert json.loads(got.stdout)["state"] == "PAID"
        second.signal(signal.SIGINT)
        assert second.wait() == 0, second.log()
    finally:
        second.kill()


def test_it_says_where_everything_listens_and_how_to_order(mesh: MeshProcess, values: dict[str, str]) -> None:
    for name in ("ORDERMESH_GATEWAY_ADDR", "ORDER_ADDR", "TAX_ADDR", "PAYMENT_ADDR", "NOTIFY_ADDR", "SANDBOX_ADDR"):
        assert values[name] in mesh.said
    assert f"http://{values['ORDERMESH_GATEWAY_ADDR']}/docs" in mesh.said
    assert f"curl -sS -X POST http://{values['ORDERMESH_GATEWAY_ADDR']}/api/v1/orders" in mesh.said
    assert values["ORDERMESH_DATA_DIR"] in mesh.said


@pytest.mark.usefixtures("mesh")
def test_every_part_tells_from_its_start_on_what_an_alert_would_miss(values: dict[str, str]) -> None:
    missed = re.findall(r'absent\((\w+)\{(job="ordermesh/\w+")\}\)', ALERTS.read_text())
    told = httpx.get(f"http://{values['ORDERMESH_GATEWAY_ADDR']}/metrics").text

    assert len(missed) == 4
    assert [each for each in missed if "{}{{{}}}".format(*each) not in told] == []
    assert 'ordermesh_orders_customer_time_seconds{job="ordermesh/order"} 1800.0' in told


@pytest.mark.usefixtures("mesh")
def test_a_second_mesh_on_the_same_ports_says_which_port_and_which_variable(values: dict[str, str]) -> None:
    second = ordermesh("up", values=values)

    assert second.returncode == 1
    assert f"sandbox cannot listen on {values['SANDBOX_ADDR']}" in second.stderr
    assert "Set SANDBOX_ADDR" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.usefixtures("mesh")
def test_a_second_mesh_on_the_same_data_says_whose_it_is(values: dict[str, str], tmp_path: Path) -> None:
    elsewhere = {**environment(tmp_path), "ORDERMESH_DATA_DIR": values["ORDERMESH_DATA_DIR"]}

    second = ordermesh("serve", "tax", values=elsewhere)

    assert second.returncode == 1
    assert "tax cannot start" in second.stderr
    assert "in use by process" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.usefixtures("mesh")
def test_an_order_is_placed_once_per_key_and_listed(values: dict[str, str]) -> None:
    first, again = (
        ordermesh("order", "place", "-f", str(EXAMPLE), "--key", "cli-1", "-o", "json", values=values) for _ in range(2)
    )

    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    order = json.loads(first.stdout)
    assert order["state"] == "PAID"
    assert json.loads(again.stdout)["order_id"] == order["order_id"]
    listed = ordermesh("order", "list", "--customer", "c-1001", "--state", "paid", values=values)
    assert order["order_id"] in listed.stdout


@pytest.mark.usefixtures("mesh")
def test_a_key_is_made_and_told_when_none_is_given(values: dict[str, str]) -> None:
    placed = ordermesh("order", "place", "-f", "-", values=values, given=EXAMPLE.read_text())

    assert placed.returncode == 0, placed.stderr
    assert "Idempotency key" in placed.stderr
    assert "PAID" in placed.stdout


@pytest.mark.usefixtures("mesh")
def test_an_order_that_waits_for_its_customer_says_how_to_follow_it(values: dict[str, str]) -> None:
    card = "pm_card_authenticationRequired"
    placed = ordermesh("order", "place", "-f", str(EXAMPLE), "--payment-method", card, "-o", "json", values=values)

    assert placed.returncode == 0, placed.stderr
    order = json.loads(placed.stdout)
    assert order["state"] == "PAYMENT_ACTION_REQUIRED"
    assert f"`ordermesh order watch {order['order_id']}` follows it" in placed.stderr


@pytest.mark.usefixtures("mesh")
def test_a_declined_card_is_told_with_its_code_and_what_to_do(values: dict[str, str]) -> None:
    card = "pm_card_visa_chargeDeclinedInsufficientFunds"
    declined = ordermesh("order", "place", "-f", str(EXAMPLE), "--payment-method", card, values=values)

    assert declined.returncode == 1
    assert "PAYMENT_DECLINED" in declined.stderr
    assert "insufficient_funds" in declined.stderr
    assert "another payment method" in declined.stderr


@pytest.mark.usefixtures("mesh")
@pytest.mark.parametrize(
    ("document", "field"),
    [
        ('{"items": [{"sku": "a", "quantity": "many"}]}', "items[0].quantity"),
        ('{"shipTo": {}}', "did you mean ship_to"),
        ("{}", "customer"),
        ("[]", "JSON object"),
        ("{", "JSON"),
    ],
)
def test_a_wrong_document_names_the_field(values: dict[str, str], document: str, field: str) -> None:
    refused = ordermesh("order", "place", "-f", "-", values=values, given=document)

    assert refused.returncode == 1
    assert refused.stderr.count("Traceback") == 0
    assert field in refused.stderr


@pytest.mark.usefixtures("mesh")
def test_an_order_that_does_not_exist_is_refused(values: dict[str, str]) -> None:
    for words in (["order", "get"], ["order", "watch"], ["explain"], ["trace"]):
        refused = ordermesh(*words, "01a20688-0517-7d30-bac1-d40be08bc975", values=values)

        assert refused.returncode == 1, words
        assert "ORDER_NOT_FOUND" in refused.stderr


@pytest.mark.usefixtures("mesh")
def test_watching_a_settled_order_shows_it_and_ends(values: dict[str, str]) -> None:
    order = place_over_rest(values, "watched")

    watched = ordermesh("order", "watch", order["order_id"], "-o", "json", values=values)

    assert watched.returncode == 0, watched.stderr
    assert json.loads(watched.stdout)["order_id"] == order["order_id"]


@pytest.mark.usefixtures("mesh")
def test_the_story_tells_what_happened(values: dict[str, str]) -> None:
    order = place_over_rest(values, "explained")

    told = ordermesh("explain", order["order_id"], values=values)

    assert told.returncode == 0, told.stderr
    for words in ("The order was accepted", "The tax was worked out", "The payment went through", "was charged."):
        assert words in told.stdout


@pytest.mark.usefixtures("mesh")
def test_one_command_tells_why_an_order_was_not_mailed_and_another_sends_the_mail_again(values: dict[str, str]) -> None:
    sandbox = f"http://{values['SANDBOX_ADDR']}"
    httpx.put(
        f"{sandbox}/faults/sendgrid", json={"mode": "error", "status": 400, "operation": "mail.send"}
    ).raise_for_status()
    order_id = place_over_rest(values, "unmailed")["order_id"]
    try:
        told = until_told(values, order_id, "undeliverable")
    finally:
        httpx.delete(f"{sandbox}/faults").raise_for_status()
    story = json.loads(ordermesh("explain", order_id, "-o", "json", values=values).stdout)
    (mail,) = story["mails"]

    sent = ordermesh("mail", "resend", mail["notification_id"], values=values)
    told_then = until_told(values, order_id, "sent again by local")
    shown = ordermesh("mail", "show", mail["notification_id"], values=values)

    assert "order confirmation" in told
    assert mail["last_error"]
    assert (sent.returncode, sent.stderr) == (0, "")
    assert "sent again by local" not in told
    assert told_then.count("sent again by local") == 1
    assert "Hello Ada" in shown.stdout


def until_told(values: dict[str, str], order_id: str, words: str) -> str:
    """Return the story of an order as soon as it has the words."""
    end = time.monotonic() + 30
    while words not in (told := ordermesh("explain", order_id, values=values).stdout):
        assert time.monotonic() < end, told
    return told


@pytest.mark.usefixtures("mesh")
def test_the_board_tells_how_everybody_is_doing_and_who_does_not_answer(values: dict[str, str]) -> None:
    place_over_rest(values, "counted")

    board = json.loads(ordermesh("top", "-o", "json", values=values).stdout)
    shown = ordermesh("top", values={**values, "TAX_ADDR": "127.0.0.1:1"}).stdout

    assert next(each["orders"] for each in board["order"]["states"] if each["state"] == "PAID") >= 1
    assert board["tax"]["health"]["provider"] == "avatax"
    assert "Nobody answers at 127.0.0.1:1 (TAX_ADDR)." in shown
    for words in ("orders/s", "stripe", "sendgrid", "order tasks", "95 of 100 within"):
        assert words in shown


@pytest.mark.usefixtures("mesh")
def test_the_trace_is_one_connected_waterfall_over_all_services(values: dict[str, str]) -> None:
    order = place_over_rest(values, "traced")

    drawn = ordermesh("trace", order["order_id"], "--verbose", values=values)

    assert drawn.returncode == 0, drawn.stderr
    _, _, *lines = drawn.stdout.splitlines()
    assert lines[0].startswith("POST /api/v1/orders")
    roots = [line for line in lines if not line.startswith((" ", "│", "├", "└"))]
    assert roots == lines[:1], "everything hangs under the request of the shop"
    for service in (" gateway ", " order ", " tax ", " payment "):
        assert any(service in line for line in lines), service
    assert "http.route=/api/v1/orders" in drawn.stdout


@pytest.mark.usefixtures("mesh")
def test_the_demo_shows_what_became_of_four_orders_and_leaves_no_fault_behind(values: dict[str, str]) -> None:
    fault = {"mode": "latency", "latency_ms": 1, "probability": 1.0}
    sandbox = f"http://{values['SANDBOX_ADDR']}"
    httpx.put(f"{sandbox}/faults/avatax", json=fault).raise_for_status()

    shown = ordermesh("demo", values=values)

    assert shown.returncode == 0, shown.stderr
    for words in ("PAID", "insufficient_funds", "FALLBACK", "PAYMENT_ACTION_REQUIRED", "then PAID", "send mail"):
        assert words in shown.stdout
    assert httpx.get(f"{sandbox}/faults/avatax").json() == {"avatax": [fault]}
    httpx.delete(f"{sandbox}/faults").raise_for_status()


def test_without_a_mesh_commands_say_so_and_how_to_start_one(tmp_path: Path) -> None:
    values = environment(tmp_path)

    for words in (["order", "list"], ["demo"]):
        refused = ordermesh(*words, values=values)

        assert refused.returncode == 3, words
        assert "make up" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == [], "asking leaves no data behind"
