"""A disk that fails under a commit ends the process, and whoever supervises it starts it again."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc

from tests.failure.shop import EXAMPLE
from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.order_requests import place_request

pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="the disk under another process can be broken on Linux only"
)

PATIENCE_SECONDS = 90.0

# Shorter than any write-ahead log after a start, longer than what a process has to say.
_LONGEST_FILE = 16_384


@contextmanager
def running(*command: str, values: dict[str, str], last_words: str) -> Iterator[MeshProcess]:
    """Run a command while the context is open, at most."""
    process = MeshProcess(command, values, Path(values["ORDERMESH_DATA_DIR"]).with_name("log"))
    try:
        process.wait_until(last_words)
        yield process
    finally:
        process.kill()


def break_disk(process: MeshProcess) -> None:
    """Let writes that make a file longer fail: not as on a full disk, but with an input/output error."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (_LONGEST_FILE, resource.RLIM_INFINITY))


async def place_until_refused(orders: "order_service_pb2_grpc.OrderServiceAsyncStub") -> None:
    """Place orders, of which the first may still fit into what the file has."""
    for number in range(100):
        await orders.PlaceOrder(place_request(f"broken-{number}"))


async def test_a_service_ends_when_its_disk_fails_and_goes_on_when_it_is_started_again(tmp_path: Path) -> None:
    values = environment(tmp_path / "data") | {"ORDER_PATIENCE_SECONDS": "0.5"}
    with running("serve", "order", values=values, last_words="listens on") as process:
        async with grpc.aio.insecure_channel(values["ORDER_ADDR"]) as channel:
            orders = order_service_pb2_grpc.OrderServiceStub(channel)
            told = (await orders.PlaceOrder(place_request())).order
            break_disk(process)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await place_until_refused(orders)
        code = await asyncio.to_thread(process.wait)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (code, '"event": "store.failed"' in process.log()) == (1, True), process.log()
    with running("serve", "order", values=values, last_words="listens on"):
        async with grpc.aio.insecure_channel(values["ORDER_ADDR"]) as channel:
            orders = order_service_pb2_grpc.OrderServiceStub(channel)
            request = order_service_pb2.GetOrderRequest(order_id=told.order_id)
            found = (await orders.GetOrder(request, wait_for_ready=True)).order
    assert found.order_id == told.order_id


async def test_a_mesh_in_one_process_ends_as_a_whole(tmp_path: Path) -> None:
    values = environment(tmp_path / "data")
    url = f"http://{values['ORDERMESH_GATEWAY_ADDR']}/api/v1/orders"
    headers = {"Idempotency-Key": "broken"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        with running("up", values=values, last_words="Data lies in") as process:
            break_disk(process)
            asking = asyncio.ensure_future(client.post(url, json=EXAMPLE, headers=headers))
            code = await asyncio.to_thread(process.wait)
            await asyncio.gather(asking, return_exceptions=True)

        assert (code, '"event": "store.failed"' in process.log()) == (1, True)
        with running("up", values=values, last_words="Data lies in"):
            answers = [await client.post(url, json=EXAMPLE, headers=headers) for _ in range(2)]
            ledger = (await client.get(f"http://{values['SANDBOX_ADDR']}/ledger")).json()

    assert {answer.status_code for answer in answers} == {201}, answers[0].text
    assert {answer.json()["state"] for answer in answers} == {"PAID"}
    assert len({answer.json()["order_id"] for answer in answers}) == 1
    assert len(ledger["charges"]) == 1
