"""The mesh with several replicas of each service, on one PostgreSQL, without anything between them that fails."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx

from tests.failure.mesh import Mesh
from tests.failure.process import Part
from tests.fakes.mesh_process import environment
from tests.fakes.postgres_server import PostgresServer
from tests.fakes.unused_ports import unused_addresses

# In the order in which they start.
REPLICATED = ("tax", "payment", "notify", "order", "gateway")

_ADDRESS = {
    "tax": "TAX_ADDR",
    "payment": "PAYMENT_ADDR",
    "notify": "NOTIFY_ADDR",
    "order": "ORDER_ADDR",
    "gateway": "ORDERMESH_GATEWAY_ADDR",
}

_ANSWERED = re.compile(r"^rpc_server_call_duration_seconds_count(?:{.*})? (\S+)", re.MULTILINE)

METRICS = "ORDERMESH_METRICS_ADDR"

# Longer than the balancer of tests/load/rest.py takes to ask /readyz, as it has to be behind any balancer.
DRAIN_SECONDS = 1.0


class Fleet:
    """Replicas of every service, one sandbox.

    Attributes:
        replicas: The processes of each service, by its name.
        sandbox: The providers.
        values: The environment in which `ordermesh` commands find the first replica of each.
    """

    def __init__(self, replicas: Mapping[str, Sequence[Part]], sandbox: Part, values: Mapping[str, str]) -> None:
        self.replicas = replicas
        self.sandbox = sandbox
        self.values = values

    @property
    def parts(self) -> list[Part]:
        """Return every process."""
        return [self.sandbox, *(part for name in REPLICATED for part in self.replicas[name])]

    def addresses(self, name: str) -> list[str]:
        """Return where the replicas of a service listen."""
        return [part.values[_ADDRESS[name]] for part in self.replicas[name]]

    def target(self, name: str) -> str:
        """Return the gRPC name of all replicas of a service."""
        return _target(self.addresses(name))

    async def calls_answered(self, name: str) -> list[int]:
        """Return how many calls each replica of a service has answered since its process started."""
        async with httpx.AsyncClient(timeout=5) as http:
            pages = [await http.get(f"http://{part.values[METRICS]}/metrics") for part in self.replicas[name]]
        return [int(sum(map(float, _ANSWERED.findall(page.text)))) for page in pages]

    def defects(self) -> list[str]:
        """Return what any process has logged of defects."""
        return [f"{part.name}: {line}" for part in self.parts for line in part.defects()]

    async def start(self) -> None:
        """Start everything, callers after what they call."""
        for parts in ([self.sandbox], *(self.replicas[name] for name in REPLICATED)):
            await asyncio.gather(*(part.start() for part in parts))

    async def kill(self) -> None:
        """End all processes at once."""
        await asyncio.gather(*(part.kill() for part in self.parts))


@asynccontextmanager
async def running_fleet(
    folder: Path,
    database_url: str,
    counts: Mapping[str, int] | None = None,
    settings: Mapping[str, str] | None = None,
    options: Mapping[str, Sequence[str]] | None = None,
) -> AsyncIterator[Fleet]:
    """Run the fleet while the context is open.

    Args:
        folder: Where data and logs go.
        database_url: A PostgreSQL database.
        counts: How many replicas of each service; two where nothing is said.
        settings: More of the environment of all.
        options: What `ordermesh serve` is told besides, by service.
    """
    shared = environment(folder / "data") | {
        "ORDERMESH_DATABASE_URL": database_url,
        "ORDERMESH_GATEWAY_DRAIN_SECONDS": f"{DRAIN_SECONDS}",
        **(settings or {}),
    }
    numbers = {name: (counts or {}).get(name, 2) for name in _ADDRESS}
    free = iter(unused_addresses(2 * sum(numbers.values())))
    own = {name: [next(free) for _ in range(number)] for name, number in numbers.items()}
    called = {_ADDRESS[name]: _target(addresses) for name, addresses in own.items()}
    replicas = {
        name: [
            Part(
                f"{name}-{number}",
                {**shared, **called, _ADDRESS[name]: address, METRICS: next(free)},
                folder / f"{name}-{number}.log",
                (options or {}).get(name, ()),
            )
            for number, address in enumerate(addresses, 1)
        ]
        for name, addresses in own.items()
    }
    values = {**shared, **{_ADDRESS[name]: addresses[0] for name, addresses in own.items()}}
    fleet = Fleet(replicas, Part("sandbox", values, folder / "sandbox.log"), values)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fleet.kill)
        await fleet.start()
        yield fleet


async def ready(fleet: Fleet) -> None:
    """Return once the first gateway sees every service serving."""
    await Mesh({"gateway": fleet.replicas["gateway"][0], "sandbox": fleet.sandbox}, {}).until_ready()


@contextmanager
def a_postgres(**settings: str) -> Iterator[PostgresServer]:
    """Run a PostgreSQL while the context is open.

    Args:
        settings: Of the server, beside what tests need.
    """
    server = PostgresServer(**settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _target(addresses: Sequence[str]) -> str:
    return f"ipv4:///{','.join(addresses)}" if len(addresses) > 1 else addresses[0]
