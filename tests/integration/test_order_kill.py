"""kill -9 of the order service while it waits for each of the others: the next process sees the order through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.order_faults import Held
from tests.fakes.order_peers import Peers, running_peers
from tests.fakes.order_requests import place_request
from tests.fakes.order_samples import euros

if TYPE_CHECKING:
    from ordermesh.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

PATIENCE_SECONDS = 90.0

# The names of the ports' methods, and of the RPCs behind them.
CALLS = {"quote": "QuoteTax", "charge": "ChargePayment", "confirm": "SendNotification", "commit": "CommitTax"}


class OrderProcess:
    """The order service as processes that follow each other."""

    def __init__(self, folder: Path, database_url: str, peers: Peers) -> None:
        self._folder = folder
        self._values = environment(folder) | {
            "ORDER_DATABASE_URL": database_url,
            "TAX_ADDR": peers.address,
            "PAYMENT_ADDR": peers.address,
            "NOTIFY_ADDR": peers.address,
        }

    @asynccontextmanager
    async def life(self) -> "AsyncIterator[OrderServiceAsyncStub]":
        """Start a process, yield a stub for it, and kill it."""
        process = MeshProcess(["serve", "order"], self._values, self._folder / "order.log")
        try:
            await asyncio.to_thread(process.wait_until, "listens on")
            async with grpc.aio.insecure_channel(self._values["ORDER_ADDR"]) as channel:
                yield order_service_pb2_grpc.OrderServiceStub(channel)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("call", "database"),
    [*((call, "sqlite") for call in CALLS), pytest.param("charge", "postgres", marks=pytest.mark.postgres)],
)
async def test_an_order_is_seen_through_after_a_kill(
    call: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database_url = request.getfixturevalue(f"{database}_url")
    answered = asyncio.Event()
    async with running_peers() as peers, asyncio.timeout(PATIENCE_SECONDS):
        service = OrderProcess(tmp_path, database_url, peers)
        peers.faults_of(call).plan(call, Held(answered))

        async with service.life() as orders:
            placing = asyncio.ensure_future(orders.PlaceOrder(place_request()))
            await peers.until_asked(CALLS[call])
        await asyncio.gather(placing, return_exceptions=True)
        answered.set()

        async with service.life() as orders:
            order = (await orders.PlaceOrder(place_request(), wait_for_ready=True)).order
            explain = order_service_pb2.ExplainOrderRequest(order_id=order.order_id)
            while True:
                story = await orders.ExplainOrder(explain)
                if story.tasks and all(task.done for task in story.tasks):
                    break
            listed = await orders.ListOrders(order_service_pb2.ListOrdersRequest())

    assert order.state == order_pb2.ORDER_STATE_PAID
    assert [each.order_id for each in listed.orders] == [order.order_id]
    assert peers.payments.captures == [(order.order_id, euros(7075))]
    assert set(peers.mails.asked) == {f"{order.order_id}:confirmation"}
    assert set(peers.taxes.commits) == {f"{order.order_id}:commit"}
    own = [event.version for event in story.events if event.cause != "outbox"]
    assert own == [1, 2, 3]
