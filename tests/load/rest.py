"""A balancer for the gateways, as a proxy is one: it asks /readyz, takes turns among the ready, and never repeats."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from tests.fakes.readyz import sees_all

# Less than half of the time that a gateway drains for.
_ASK_SECONDS = 0.25

# This only says that something hangs.
_READY_SECONDS = 60.0


class Balancer:
    """Sends each request to one gateway that was ready when last asked."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._clients = [httpx.AsyncClient(base_url=f"http://{address}", timeout=20) for address in addresses]
        self._ready = [False] * len(addresses)
        self._whole = [False] * len(addresses)
        self._all_ready = asyncio.Event()
        self._turn = 0

    async def request(
        self, method: str, path: str, *, json: object = None, key: str = "", params: dict[str, str] | None = None
    ) -> httpx.Response:
        """Return the answer of whichever gateway had its turn.

        Raises:
            httpx.HTTPError: It did not answer.
            AssertionError: No gateway is ready.
        """
        headers = {"Idempotency-Key": key} if key else {}
        return await self._next().request(method, path, json=json, headers=headers, params=params)

    def _next(self) -> httpx.AsyncClient:
        for _ in self._clients:
            self._turn = (self._turn + 1) % len(self._clients)
            if self._ready[self._turn]:
                return self._clients[self._turn]
        raise AssertionError("no gateway is ready")

    async def all_ready(self) -> None:
        """Return once every gateway is ready and sees every service, as a rollout waits before it goes on."""
        self._all_ready.clear()
        async with asyncio.timeout(_READY_SECONDS):
            await self._all_ready.wait()

    async def ask(self) -> None:
        """Ask every gateway once whether it is ready."""
        await asyncio.gather(*(self._ask(number) for number in range(len(self._clients))))
        if all(self._whole):
            self._all_ready.set()
        else:
            self._all_ready.clear()

    async def said(self) -> list[str]:
        """Return what each gateway says of its services.

        Raises:
            httpx.HTTPError: One does not answer.
        """
        return [(await client.get("/readyz")).text for client in self._clients]

    async def watch(self) -> None:
        """Ask for ever."""
        while True:
            await self.ask()
            await asyncio.sleep(_ASK_SECONDS)

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(client.aclose() for client in self._clients))

    async def _ask(self, number: int) -> None:
        try:
            answer = await self._clients[number].get("/readyz")
        except httpx.HTTPError:
            self._ready[number] = self._whole[number] = False
        else:
            self._ready[number], self._whole[number] = answer.status_code == httpx.codes.OK, sees_all(answer)


@asynccontextmanager
async def balanced(addresses: Sequence[str]) -> AsyncIterator[Balancer]:
    """Open a balancer that has asked once, and asks on while the context is open."""
    balancer = Balancer(addresses)
    await balancer.ask()
    watching = asyncio.create_task(balancer.watch())
    try:
        yield balancer
    finally:
        watching.cancel()
        await balancer.aclose()
