"""The whole mesh over TLS: the gateway speaks for its callers, the command line for people, strangers for nobody."""

import signal
from collections.abc import Iterator

import grpc
import httpx
import pytest
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc

from chassis.trust.transport import Transport
from tests.fakes.mesh_process import MeshProcess, environment, ordermesh
from tests.fakes.trusted_mesh import DOMAIN, TrustedMesh
from tests.fakes.whole_mesh import EXAMPLE, PATIENCE_SECONDS

PARTS = ("sandbox", "order", "tax", "payment", "notify", "gateway")


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> TrustedMesh:
    return TrustedMesh(tmp_path_factory.mktemp("tls"), *PARTS, "operator")


@pytest.fixture(scope="module")
def values(trusted: TrustedMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("secured")
    secured = {"ORDERMESH_TLS_DIR": str(trusted.directory), "ORDERMESH_TRUST_DOMAIN": DOMAIN}
    values = environment(folder / "data") | secured
    mesh = MeshProcess(["up"], values, folder / "log")
    try:
        mesh.wait_until("Ctrl-C stops")
        yield values
    finally:
        mesh.signal(signal.SIGTERM)
        mesh.wait()


def test_an_order_is_placed_over_rest_and_read_by_an_operator(values: dict[str, str]) -> None:
    placed = httpx.post(
        f"http://{values['ORDERMESH_GATEWAY_ADDR']}/api/v1/orders",
        json=EXAMPLE,
        headers={"Idempotency-Key": "secured"},
        timeout=PATIENCE_SECONDS,
    )
    told = ordermesh("order", "get", placed.json()["order_id"], values=values)

    assert (placed.status_code, placed.json()["state"]) == (201, "PAID")
    assert told.returncode == 0, told.stderr
    assert "53.24 USD" in told.stdout


async def test_a_part_of_the_mesh_may_not_do_what_is_not_its_own(values: dict[str, str], trusted: TrustedMesh) -> None:
    channel = Transport(trusted.settings("tax")).to("order")(values["ORDER_ADDR"], ())
    try:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await order_service_pb2_grpc.OrderServiceStub(channel).ListOrders(
                order_service_pb2.ListOrdersRequest(), timeout=PATIENCE_SECONDS
            )
    finally:
        await channel.close()

    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "orders.read" in (refused.value.details() or "")


def test_who_shows_no_certificate_hears_nothing(values: dict[str, str]) -> None:
    bare = {name: value for name, value in values.items() if name != "ORDERMESH_TLS_DIR"}

    told = ordermesh("order", "list", values=bare)

    assert told.returncode == 3, told.stderr
