"""Replicas whose ports the system chooses are told apart all the same: none takes another's orders for its own."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from ordermesh.order.v1 import order_service_pb2_grpc
from sqlalchemy import select

from chassis.storage.store import open_store
from order_svc.adapters.tables import METADATA, ORDERS
from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.order_faults import Held
from tests.fakes.order_peers import running_peers
from tests.fakes.order_requests import place_request

pytestmark = pytest.mark.postgres


async def test_a_replica_that_starts_leaves_the_leases_of_those_that_live(tmp_path: Path, postgres_url: str) -> None:
    answered = asyncio.Event()
    async with running_peers() as peers:
        addresses = dict.fromkeys(("TAX_ADDR", "PAYMENT_ADDR", "NOTIFY_ADDR"), peers.address)
        # The first stands still while the second starts, however long that takes, and its leases do not end meanwhile.
        own = {"ORDER_ADDR": "127.0.0.1:0", "ORDER_DATABASE_URL": postgres_url, "ORDER_LEASE_SECONDS": "600"}
        values = environment(tmp_path) | addresses | own
        peers.faults_of("charge").plan("charge", Held(answered))
        with ExitStack() as stack:

            async def start() -> MeshProcess:
                process = MeshProcess(["serve", "order"], values, tmp_path / "order.log")
                stack.callback(process.kill)
                await asyncio.to_thread(process.wait_until, "listens on")
                return process

            first = await start()
            async with grpc.aio.insecure_channel(first.said.split()[-1]) as channel:
                orders = order_service_pb2_grpc.OrderServiceStub(channel)
                placing = asyncio.ensure_future(orders.PlaceOrder(place_request()))
                await peers.until_asked("ChargePayment")
                first.signal(signal.SIGSTOP)
                before = await owners(postgres_url)
                await start()
                after = await owners(postgres_url)
                first.signal(signal.SIGCONT)
                answered.set()
                await placing

    assert len(before) == 1
    assert None not in before
    assert after == before


async def owners(url: str) -> list[str | None]:
    """Return who holds each order."""
    store = await open_store(url, metadata=METADATA)
    try:
        return await store.read(lambda connection: list(connection.scalars(select(ORDERS.c.lease_owner))))
    finally:
        await store.close()
