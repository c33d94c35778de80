"""The order service as it runs in production, in front of small real servers for tax, payment and mail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from ordermesh.order.v1 import order_service_pb2_grpc

from chassis.telemetry.setup import start_telemetry
from order_svc.__main__ import running
from order_svc.config import OrderConfig
from tests.fakes.order_peers import Peers, running_peers

if TYPE_CHECKING:
    from ordermesh.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub


@dataclass
class Shop:
    """A place to run the service in, again and again.

    Attributes:
        config: How it is run.
        peers: Whom it calls.
        address: Where it listens, or listened last.
    """

    config: OrderConfig
    peers: Peers
    address: str = ""

    @asynccontextmanager
    async def open(self, **settings: float | str) -> "AsyncIterator[OrderServiceAsyncStub]":
        """Run the service and yield a stub for it.

        Args:
            settings: Fields of the config that differ this time.
        """
        config = replace(self.config, **settings)  # type: ignore[arg-type]  # fields of it
        telemetry = start_telemetry("order", config.data_dir, None)
        try:
            async with running(config, telemetry) as self.address, grpc.aio.insecure_channel(self.address) as channel:
                yield order_service_pb2_grpc.OrderServiceStub(channel)
        finally:
            await telemetry.aclose()


@asynccontextmanager
async def a_shop(data_dir: Path, database_url: str) -> AsyncIterator[Shop]:
    """Yield a shop with an empty database."""
    async with running_peers() as peers:
        variables = {
            "ORDERMESH_DATA_DIR": str(data_dir),
            "ORDER_DATABASE_URL": database_url,
            "ORDER_ADDR": "127.0.0.1:0",
            "TAX_ADDR": peers.address,
            "PAYMENT_ADDR": peers.address,
            "NOTIFY_ADDR": peers.address,
        }
        yield Shop(OrderConfig.from_env(variables), peers)
