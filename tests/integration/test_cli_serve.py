"""`ordermesh serve` and `migrate`: each part in a process of its own works as it does in `up`."""

import json
import signal
from pathlib import Path

from tests.fakes.mesh_process import MeshProcess, environment, ordermesh

EXAMPLE = Path(__file__).parents[2] / "examples" / "order-eu.json"
PARTS = {
    "sandbox": "SANDBOX_ADDR",
    "tax": "TAX_ADDR",
    "payment": "PAYMENT_ADDR",
    "notify": "NOTIFY_ADDR",
    "order": "ORDER_ADDR",
    "gateway": "ORDERMESH_GATEWAY_ADDR",
}


def test_an_order_over_six_processes_is_paid_and_traced_as_one(tmp_path: Path) -> None:
    values = environment(tmp_path / "data")
    processes = {name: MeshProcess(["serve", name], values, tmp_path / f"{name}.log") for name in PARTS}
    try:
        for name, variable in PARTS.items():
            processes[name].wait_until(f"{name} listens on {values[variable]}")

        placed = ordermesh("order", "place", "-f", str(EXAMPLE), "-o", "json", values=values)
        assert placed.returncode == 0, placed.stderr
        order = json.loads(placed.stdout)
        assert order["state"] == "PAID"
        assert order["total"]["currency_code"] == "EUR"

        drawn = ordermesh("trace", order["order_id"], values=values)
        assert drawn.returncode == 0, drawn.stderr
        for service in (" order ", " tax ", " payment ", " notify "):
            assert service in drawn.stdout

        for name, process in processes.items():
            process.signal(signal.SIGTERM)
            assert process.wait() == 0, f"{name}: {process.log()}"
    finally:
        for process in processes.values():
            process.kill()


def test_a_part_on_an_open_port_says_which_one_it_got(tmp_path: Path) -> None:
    values = {**environment(tmp_path / "data"), "TAX_ADDR": "127.0.0.1:0"}
    process = MeshProcess(["serve", "tax"], values, tmp_path / "tax.log")
    try:
        process.wait_until("tax listens on 127.0.0.1:")
        assert not process.said.strip().endswith(":0")
    finally:
        process.kill()


def test_tables_are_migrated_once_and_for_the_services_that_are_named(tmp_path: Path) -> None:
    values = environment(tmp_path / "data")

    first = ordermesh("migrate", "tax", values=values)
    second = ordermesh("migrate", values=values)

    assert first.returncode == 0, first.stderr
    assert [line.split()[0] for line in first.stdout.splitlines()] == ["tax"]
    assert "brought up to date" in first.stdout
    done = {line.split()[0]: "was up to date" in line for line in second.stdout.splitlines()}
    assert done == {"order": False, "tax": True, "payment": False, "notify": False, "gateway": False}


def test_a_database_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    values = {**environment(tmp_path), "ORDERMESH_DATABASE_URL": "postgresql://shop:hunter2@127.0.0.1:1/orders"}

    for words in (["migrate", "tax"], ["serve", "tax"]):
        refused = ordermesh(*words, values=values)

        assert refused.returncode == 1, words
        assert "postgresql://shop:***@127.0.0.1:1/orders; TAX_DATABASE_URL" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert "hunter2" not in refused.stderr + refused.stdout


def test_a_database_that_cannot_be_used_is_told_without_a_stack(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tax.db").write_text("this is no database, and far too long to be an empty one" * 100)

    refused = ordermesh("migrate", "tax", values=environment(tmp_path / "data"))

    assert refused.returncode == 1
    assert "tax was not migrated" in refused.stderr
    assert str(tmp_path / "data" / "tax.db") in refused.stderr
    assert "Traceback" not in refused.stderr
