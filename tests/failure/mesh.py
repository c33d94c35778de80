"""The six parts of the mesh as processes that can be killed, stopped and started again one by one."""

import asyncio
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from tests.failure.words import FULL, ROOM
from tests.fakes.mesh_process import environment
from tests.fakes.tcp_proxy import TcpProxy, to_address

PARTS = ("sandbox", "tax", "payment", "notify", "order", "gateway")
SERVICES = ("tax", "payment", "notify", "order")

# A start takes about a second on an idle machine.
_START_SECONDS = 60.0
_LOOK_SECONDS = 0.05

# In bytes: what a process with a broken disk has to say must still fit into its log.
_SHORTEST_LIMIT = 16_384
_NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

_ROOT = Path(__file__).parents[2]


class Part:
    """One part, as processes that follow each other.

    Args:
        name: What `ordermesh serve` calls it.
        values: Its environment.
        log: Where its standard error goes.

    """

    def __init__(self, name: str, values: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.values = values
        self.log = log
        self._process: asyncio.subprocess.Process | None = None
        self._killed = False
        self.may_end = False
        self.ended = 0

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has a process that has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start a process, and return once it listens.

        Raises:
            AssertionError: It ended instead.
        """
        self._killed = self.may_end = False
        with self.log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.failure.part", self.name),
                cwd=_ROOT,
                env=self.values,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            while line := await self._process.stdout.readline():
                if b"listens on" in line:
                    return
        raise AssertionError(f"{self.name} ended with {await self._process.wait()}:\n{self.log.read_text()[-3000:]}")

    def freeze(self) -> None:
        """Let it stand still, with all its connections open."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def fill_disk(self, *, full: bool) -> None:
        """Let the disk under its SQLite file be full, or have room again."""
        if self.running and self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(FULL if full else ROOM)

    def break_disk(self) -> None:
        """Let writes fail that make a file of its longer than its write-ahead log is: not with "full", with EIO.

        The process ends by itself at a commit that hits this, or it is mended before.
        """
        if self.running:
            wal = Path(self.values["ORDERMESH_DATA_DIR"], f"{self.name}.db-wal")
            length = max(_SHORTEST_LIMIT, wal.stat().st_size) if wal.exists() else _SHORTEST_LIMIT
            resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))
            self.may_end = True

    def mend(self) -> None:
        """Take all of this back."""
        self.thaw()
        self.fill_disk(full=False)
        if self.may_end and self.running:
            resource.prlimit(self._pid, resource.RLIMIT_FSIZE, _NO_LIMIT)

    def _send(self, number: signal.Signals) -> None:
        if self.running and self._process is not None:
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Return its exit code, once it has ended."""
        assert self._process is not None
        return await self._process.wait()

    async def kill(self) -> None:
        """End it at once, when it still runs."""
        if self.running and self._process is not None:
            self._killed = True
            self._process.kill()
            await self._process.wait()

    @property
    def exit_code(self) -> int | None:
        """The exit code of a process that has ended by itself."""
        return None if self._process is None or self._killed else self._process.returncode


class Mesh:
    """Six parts, or more when there are replicas, and the network between some of them.

    Args:
        parts: By name.
        links: The connections that go through a network of ours, by what they join.

    """

    def __init__(self, parts: Mapping[str, Part], links: Mapping[str, TcpProxy]) -> None:
        self.parts = parts
        self.links = links
        values = parts["gateway"].values
        self.rest_url = f"http://{values['ORDERMESH_GATEWAY_ADDR']}"
        self.sandbox_url = f"http://{parts['sandbox'].values['SANDBOX_ADDR']}"

    async def start(self, names: Iterable[str]) -> None:
        """Start parts side by side, and return once all of them listen."""
        async with asyncio.TaskGroup() as starting:
            for name in names:
                starting.create_task(self.parts[name].start())

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
        await self.start([part.name for part in ended])

    async def until_ready(self) -> None:
        """Return once the gateway sees every service serving.

        Raises:
            AssertionError: It does not.
        """
        end = time.monotonic() + _START_SECONDS
        async with httpx.AsyncClient(base_url=self.rest_url, timeout=5) as client:
            while True:
                try:
                    if (await client.get("/readyz")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                assert time.monotonic() < end, "the gateway did not see every service serving"
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """End all processes."""
        await asyncio.gather(*(part.kill() for part in self.parts.values()))


@asynccontextmanager
async def running_mesh(
    folder: Path, *, changes: Mapping[str, str] | None = None, links: Mapping[str, TcpProxy] | None = None
) -> AsyncIterator[Mesh]:
    """Run all six parts while the context is open.

    Args:
        folder: Where data and logs go.
        changes: What differs from the default environment.
        links: Networks that others made and that belong to the mesh.
    """
    values = {**environment(folder / "data"), **(changes or {})}
    order_payment = _proxy(values["PAYMENT_ADDR"])
    payment_sandbox = _proxy(values["SANDBOX_ADDR"])
    async with AsyncExitStack() as stack:
        to_payment = await stack.enter_async_context(order_payment.listening())
        to_sandbox = await stack.enter_async_context(payment_sandbox.listening())
        own = {
            "order": {"PAYMENT_ADDR": f"127.0.0.1:{to_payment}"},
            "payment": {"SANDBOX_ADDR": f"127.0.0.1:{to_sandbox}"},
        }
        parts = {name: Part(name, {**values, **own.get(name, {})}, folder / f"{name}.log") for name in PARTS}
        mesh = Mesh(parts, {"order-payment": order_payment, "payment-sandbox": payment_sandbox, **(links or {})})
        stack.push_async_callback(mesh.kill)
        await mesh.start(PARTS)
        await mesh.until_ready()
        yield mesh


def _proxy(address: str) -> TcpProxy:
    host, _, port = address.rpartition(":")
    return TcpProxy(to_address(host, int(port)))
