"""Somebody who looks on: the console's board and pages of orders, as a browser keeps them open, and a Prometheus."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

import httpx

_CALL_SECONDS = 30.0

# As often as Prometheus reads by default where it is set up to look often.
_SCRAPE_SECONDS = 15.0

# What the pages ask of a browser, and how long its script waits before it fetches a page that has changed.
_RELOAD = re.compile(r'data-reload-seconds="(\d+)"')
_LONGEST = re.compile(r'data-reload-longest="(\d+)"')
_TAG = re.compile(r"<[^>]*>")
_WATCH = re.compile(r'data-watch="([^"]+)"')
_AN_ORDER = re.compile(r'href="(/console/orders/[0-9a-f-]{36})"')
_SOON_SECONDS = 0.3


class Onlooker:
    """Keeps open: the board, the page of an order that waits, the page of whichever order is the newest, `/metrics`.

    Args:
        gateway: host:port.
        metrics: host:port of each process.
        waiting: The page of an order that waits for its customer: its stream of events stays open.

    Attributes:
        pages: How many were fetched.
        events: How many came by streams.
        scrapes: How many `/metrics` were read.
    """

    def __init__(self, gateway: str, metrics: Sequence[str], waiting: str) -> None:
        self.pages = self.events = self.scrapes = 0
        self._gateway = gateway
        self._metrics = metrics
        self._waiting = waiting

    async def look(self) -> None:
        """Look on until cancelled.

        Raises:
            httpx.HTTPError: Something was not answered as it has to be; what is measured is void then.
        """
        client = httpx.AsyncClient(base_url=f"http://{self._gateway}", timeout=_CALL_SECONDS)
        async with client, asyncio.TaskGroup() as looking:
            looking.create_task(self._board(client))
            looking.create_task(self._order(client, self._waiting))
            looking.create_task(self._scrape(client))

    async def _page(self, client: httpx.AsyncClient, path: str) -> str:
        answer = (await client.get(path)).raise_for_status()
        self.pages += 1
        return answer.text

    async def _board(self, client: httpx.AsyncClient) -> None:
        """Keep the board open, and beside it the page of the order that is its newest, until there is a newer one."""
        while True:
            shown = await self._page(client, "/console")
            newest = _AN_ORDER.search(shown)
            # Until it is time to fetch the board again.
            with suppress(TimeoutError):
                async with asyncio.timeout(_seconds(shown)):
                    await (self._order(client, newest[1]) if newest else asyncio.Event().wait())

    async def _order(self, client: httpx.AsyncClient, path: str) -> None:
        """Keep a page open as its script does: fetched again as often as it says, and soon after each event."""
        shown = await self._page(client, path)
        changed = asyncio.Event()
        async with asyncio.TaskGroup() as open_:
            if watch := _WATCH.search(shown):
                open_.create_task(self._events(client, watch[1], changed))
            wait = _seconds(shown)
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await changed.wait()
                    await asyncio.sleep(_SOON_SECONDS)
                changed.clear()
                before, shown = shown, await self._page(client, path)
                same = _TAG.sub("", before) == _TAG.sub("", shown)
                wait = min(2 * wait, _seconds(shown, _LONGEST)) if same else _seconds(shown)

    async def _events(self, client: httpx.AsyncClient, path: str, changed: asyncio.Event) -> None:
        before = self.events
        async with client.stream("GET", path, timeout=None) as stream:
            stream.raise_for_status()
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    self.events += 1
                    # The first is as a rule the order as the page has it.
                    if self.events - before > 1:
                        changed.set()

    async def _scrape(self, client: httpx.AsyncClient) -> None:
        async def read(address: str) -> None:
            (await client.get(f"http://{address}/metrics")).raise_for_status()
            self.scrapes += 1

        while True:
            await asyncio.gather(*(read(address) for address in self._metrics), asyncio.sleep(_SCRAPE_SECONDS))


def _seconds(page: str, what: re.Pattern[str] = _RELOAD) -> float:
    found = what.search(page)
    assert found is not None, "a page of the console says how often it is fetched again"
    return float(found[1])
