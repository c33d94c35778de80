"""`ordermesh serve --workers`: who may have several processes, and what each of them is told."""

import socket
from contextlib import ExitStack, closing

import pytest

from chassis.config import ConfigError
from cli import mesh, workers
from cli.failures import Failure

POSTGRES = {"ORDERMESH_DATABASE_URL": "postgresql://h/mesh"}


@pytest.mark.parametrize("name", ["order", "tax", "payment", "notify"])
def test_tables_in_sqlite_belong_to_one_process(name: str) -> None:
    with pytest.raises(Failure, match=f"(?s){name}.db.*{name.upper()}_DATABASE_URL or .*PostgreSQL"):
        workers.refuse_alone(mesh.load(name, {}))
    workers.refuse_alone(mesh.load(name, POSTGRES))


def test_a_gateway_may_have_several_processes_on_sqlite_and_a_sandbox_none() -> None:
    workers.refuse_alone(mesh.load("gateway", {}))
    with pytest.raises(Failure, match="sandbox"):
        workers.refuse_alone(mesh.load("sandbox", {}))


def test_on_one_address_each_process_has_a_number_and_metrics_at_a_port_of_its_own() -> None:
    values = {**POSTGRES, "TAX_ADDR": "127.0.0.1:0", "ORDERMESH_METRICS_ADDR": "127.0.0.1:9464"}
    with ExitStack() as held:
        shown, told = workers.environments(mesh.load("tax", values), 2, values, held)
        host, _, port = shown.rpartition(":")
        with closing(socket.socket()) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind((host, int(port)))
        with pytest.raises(Failure, match="another process has the port"):
            workers.environments(mesh.load("tax", {**values, "TAX_ADDR": shown}), 2, values, held)

    assert port != "0"
    assert [each["TAX_ADDR"] for each in told.values()] == [shown, shown]
    assert [each["ORDERMESH_WORKER"] for each in told.values()] == ["1", "2"]
    assert [each["ORDERMESH_METRICS_ADDR"] for each in told.values()] == ["127.0.0.1:9464", "127.0.0.1:9465"]
    assert {each["ORDERMESH_DATABASE_URL"] for each in told.values()} == {POSTGRES["ORDERMESH_DATABASE_URL"]}


def test_of_a_list_of_addresses_each_process_has_one_for_itself() -> None:
    values = {**POSTGRES, "TAX_ADDR": "ipv4:///127.0.0.1:50052,127.0.0.1:50062", "TAX_HEALTH_ADDR": "127.0.0.1:50050"}
    with ExitStack() as held:
        shown, told = workers.environments(mesh.load("tax", values), 2, values, held)

    assert shown == values["TAX_ADDR"]
    assert [each["TAX_ADDR"] for each in told.values()] == ["127.0.0.1:50052", "127.0.0.1:50062"]
    assert [each["TAX_HEALTH_ADDR"] for each in told.values()] == ["127.0.0.1:50050", "127.0.0.1:50051"]
    assert all("ORDERMESH_WORKER" not in each for each in told.values())
    with ExitStack() as held, pytest.raises(Failure, match="lists 2 addresses for 3 processes"):
        workers.environments(mesh.load("tax", values), 3, values, held)


@pytest.mark.parametrize("first", ["127.0.0.1:65535", "127.0.0.1:0"])
def test_ports_that_follow_have_to_exist(first: str) -> None:
    with pytest.raises(ConfigError, match="ORDERMESH_METRICS_ADDR"):
        workers.following("ORDERMESH_METRICS_ADDR", first, 2)
