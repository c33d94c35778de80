"""The parts of the mesh, each a process of its own, and a network between them that can fail."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from tests.failure.process import START_SECONDS, Part
from tests.fakes.mesh_process import environment
from tests.fakes.postgres_proxy import PostgresProxy
from tests.fakes.readyz import sees_all
from tests.fakes.tcp_proxy import TcpProxy, to_address

PARTS = ("sandbox", "tax", "payment", "notify", "order", "gateway")
SERVICES = ("tax", "payment", "notify", "order")

# The shortest lease that the order service allows: what a replica leaves behind is taken up as early as can be.
LEASE_SECONDS = 12
_SETTINGS = {"ORDER_LEASE_SECONDS": f"{LEASE_SECONDS}"}

_LOOK_SECONDS = 0.05

# As often as it takes PostgreSQL to come back after a kill; with a SQLite file a start has no reason to fail.
_TRIES = 5


class Mesh:
    """Six parts, or more when there are replicas, and the network between some of them.

    Args:
        parts: By name.
        links: The connections that go through a network of ours, by what they join.

    Attributes:
        databases: Those of the links that lead to PostgreSQL.
    """

    def __init__(self, parts: Mapping[str, Part], links: Mapping[str, TcpProxy]) -> None:
        self.parts = parts
        self.links = links
        self.databases = [link for link in links.values() if isinstance(link, PostgresProxy)]
        values = parts["gateway"].values
        self.rest_url = f"http://{values['ORDERMESH_GATEWAY_ADDR']}"
        self.sandbox_url = f"http://{parts['sandbox'].values['SANDBOX_ADDR']}"

    async def start(self, names: Iterable[str]) -> None:
        """Start parts side by side, and return once all of them listen."""
        async with asyncio.TaskGroup() as starting:
            for name in names:
                starting.create_task(self.parts[name].start(_TRIES if self.databases else 1))

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        """Start what ends by itself, for as long as the context is open.

        Raises:
            ExceptionGroup: A part has ended by itself, and its disk is fine.
        """
        over = asyncio.Event()

        async def supervise() -> None:
            while not over.is_set():
                await self.revive()
                await asyncio.sleep(_LOOK_SECONDS)

        async with asyncio.TaskGroup() as group:
            group.create_task(supervise())
            try:
                yield
            finally:
                over.set()

    async def revive(self) -> None:
        """Start what does not run.

        Raises:
            AssertionError: A part has ended by itself, and its disk is fine.
        """
        ended = [part for part in self.parts.values() if not part.running]
        for part in ended:
            if part.exit_code is not None:
                said = f"{part.name} ended with {part.exit_code}:\n{part.log.read_text()[-3000:]}"
                assert part.may_end, said
                assert part.exit_code == 1, said
                part.ended += 1
                part.forgive()
        await self.start([part.name for part in ended])

    async def until_ready(self) -> None:
        """Return once the gateway sees every service serving.

        Raises:
            AssertionError: It does not.
        """
        end = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient(base_url=self.rest_url, timeout=5) as client:
            while True:
                try:
                    if sees_all(await client.get("/readyz")):
                        return
                except httpx.TransportError:
                    pass
                assert time.monotonic() < end, "the gateway did not see every service serving"
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """End all processes."""
        await asyncio.gather(*(part.kill() for part in self.parts.values()))


@asynccontextmanager
async def running_mesh(folder: Path, database_url: str = "", replicas: int = 1) -> AsyncIterator[Mesh]:
    """Run the mesh while the context is open.

    Args:
        folder: Where data and logs go.
        database_url: A PostgreSQL database on a Unix socket; without one each service has a SQLite file.
        replicas: How many processes the order service has.
    """
    values = environment(folder / "data") | _SETTINGS
    names = [*PARTS, *(f"order-{number}" for number in range(2, replicas + 1))]
    own: dict[str, dict[str, str]] = {name: {} for name in names}
    for name in names:
        if name.startswith("order-"):
            own[name]["ORDER_ADDR"] = environment(folder)["ORDER_ADDR"]
    orders = [own[name].get("ORDER_ADDR", values["ORDER_ADDR"]) for name in names if name.startswith("order")]
    own["gateway"]["ORDER_ADDR"] = f"ipv4:///{','.join(orders)}" if replicas > 1 else orders[0]
    links: dict[str, TcpProxy] = {}
    async with AsyncExitStack() as stack:

        async def linked(name: str, proxy: TcpProxy) -> str:
            links[name] = proxy
            return f"127.0.0.1:{await stack.enter_async_context(proxy.listening())}"

        to_payment = await linked("order-payment", _proxy(values["PAYMENT_ADDR"]))
        own["payment"]["SANDBOX_ADDR"] = await linked("payment-sandbox", _proxy(values["SANDBOX_ADDR"]))
        for name in names:
            if name.startswith("order"):
                own[name]["PAYMENT_ADDR"] = to_payment
            if database_url and name not in {"sandbox", "gateway"}:
                proxy = PostgresProxy(database_url)
                own[name]["ORDERMESH_DATABASE_URL"] = proxy.url(await linked(f"{name}-postgres", proxy))
        mesh = Mesh({name: Part(name, values | own[name], folder / f"{name}.log") for name in names}, links)
        stack.push_async_callback(mesh.kill)
        await mesh.start(names)
        await mesh.until_ready()
        yield mesh


def _proxy(address: str) -> TcpProxy:
    host, _, port = address.rpartition(":")
    return TcpProxy(to_address(host, int(port)))
