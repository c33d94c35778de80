"""Several replicas of the order service on one PostgreSQL: what one of them loses, another one finishes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.mesh_shop import MeshShop
from tests.fakes.order_requests import place_request
from tests.fakes.postgres_proxy import PostgresProxy
from tests.fakes.whole_mesh import until

if TYPE_CHECKING:
    from ordermesh.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

pytestmark = [pytest.mark.long, pytest.mark.postgres]

# The shortest that the service takes.
_LEASE_SECONDS = "12"


@asynccontextmanager
async def replica(
    shop: MeshShop, database_url: str, folder: Path, address: str
) -> AsyncIterator[tuple["OrderServiceAsyncStub", MeshProcess]]:
    """Run a replica of the order service in the mesh, and yield its stub and itself."""
    own = {"ORDER_DATABASE_URL": database_url, "ORDER_LEASE_SECONDS": _LEASE_SECONDS, "ORDER_ADDR": address}
    process = MeshProcess(["serve", "order"], {**shop.mesh.values, **own}, folder / "order.log")
    try:
        await asyncio.to_thread(process.wait_until, "listens on")
        async with grpc.aio.insecure_channel(address) as channel:
            yield order_service_pb2_grpc.OrderServiceStub(channel), process
    finally:
        process.kill()


@asynccontextmanager
async def two_replicas(
    shop: MeshShop, url: str, other_url: str, tmp_path: Path
) -> AsyncIterator[tuple["OrderServiceAsyncStub", "OrderServiceAsyncStub"]]:
    """Run two replicas on one database, which they may reach in different ways."""
    async with AsyncExitStack() as stack:
        both = []
        for name, its_url in (("one", url), ("other", other_url)):
            folder = tmp_path / name
            folder.mkdir()
            running = replica(shop, its_url, folder, environment(folder)["ORDER_ADDR"])
            both.append((await stack.enter_async_context(running))[0])
        yield both[0], both[1]


async def test_twenty_equal_calls_split_over_two_replicas_make_one_order_and_one_charge(
    shop: MeshShop, postgres_url: str, tmp_path: Path
) -> None:
    """Two servers get the same submit at once, each sees no order yet, and each makes one.

    https://github.com/shopware/shopware/issues/19943
    """
    async with two_replicas(shop, postgres_url, postgres_url, tmp_path) as replicas:
        request = place_request("peers-split-20")
        answers = await asyncio.gather(*(replicas[n % 2].PlaceOrder(request, timeout=60) for n in range(20)))

    assert {answer.order.state for answer in answers} == {order_pb2.ORDER_STATE_PAID}
    (order_id,) = {answer.order.order_id for answer in answers}
    assert len((await shop.ledger(order_id))["charges"]) == 1
    assert len(await shop.intents(order_id)) == 1


async def test_an_order_whose_database_goes_away_right_after_the_charge_is_finished_by_another_replica(
    shop: MeshShop, postgres_url: str, tmp_path: Path
) -> None:
    """The charge succeeds, the order cannot be written, and the customer has paid for nothing.

    https://github.com/medusajs/medusa/issues/13301
    """
    proxy = PostgresProxy(postgres_url)
    async with proxy.running() as through_proxy, two_replicas(shop, through_proxy, postgres_url, tmp_path) as replicas:
        cut_off, other = replicas
        await shop.fail("stripe", "latency", operation="payment_intents.confirm", latency_ms=3_000, times=1)
        calling = cut_off.PlaceOrder(place_request("peers-cut-off"), timeout=60)
        order_id = await until(lambda: charging(other))
        proxy.refuse()
        await until(lambda: paid(other, order_id))
        told = (await calling).order
        again = (await other.PlaceOrder(place_request("peers-cut-off"), timeout=60)).order

    # The replica that was cut off knew of no end, and told none.
    assert (told.order_id, told.state) == (order_id, order_pb2.ORDER_STATE_PENDING)
    assert (again.order_id, again.state) == (order_id, order_pb2.ORDER_STATE_PAID)
    books = await shop.ledger(order_id)
    assert (len(books["charges"]), books["refunds"]) == (1, [])


async def test_a_replica_killed_between_charge_and_record_has_its_order_paid_once_when_it_starts_again(
    shop: MeshShop, postgres_url: str, tmp_path: Path
) -> None:
    """The process dies when the money was taken and nobody knows: the shopper tries again and pays twice.

    https://github.com/woocommerce/woocommerce-gateway-stripe/issues/831
    """
    address = environment(tmp_path)["ORDER_ADDR"]
    async with replica(shop, postgres_url, tmp_path, address) as (orders, process):
        await shop.fail("stripe", "latency", operation="payment_intents.confirm", latency_ms=1_500, times=1)
        calling = orders.PlaceOrder(place_request("peers-killed-replica"), timeout=60)
        order_id = await until(lambda: charging(orders))
        process.kill()
        with pytest.raises(grpc.aio.AioRpcError):
            await calling

    async def charged() -> bool:
        return bool((await shop.ledger(order_id))["charges"])

    await until(charged)
    async with replica(shop, postgres_url, tmp_path, address) as (orders, _):
        await until(lambda: paid(orders, order_id))
        again = (await orders.PlaceOrder(place_request("peers-killed-replica"), timeout=60)).order

    assert again.order_id == order_id
    books = await shop.ledger(order_id)
    assert (len(books["charges"]), books["refunds"]) == (1, [])
    assert len(await shop.intents(order_id)) == 1


async def paid(orders: "OrderServiceAsyncStub", order_id: str) -> bool:
    found = await orders.GetOrder(order_service_pb2.GetOrderRequest(order_id=order_id), timeout=10)
    return found.order.state == order_pb2.ORDER_STATE_PAID


async def charging(orders: "OrderServiceAsyncStub") -> str:
    """Return the id of the order that is about to be charged; empty while there is none."""
    pending = order_service_pb2.ListOrdersRequest(state=order_pb2.ORDER_STATE_PENDING)
    found = [order for order in (await orders.ListOrders(pending, timeout=10)).orders if order.HasField("tax")]
    return found[0].order_id if found else ""
