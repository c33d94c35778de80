"""Delivers webhooks in the background: patiently, in no promised order, never in the way of the API."""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from kernel.clock import Clock
from sandbox.storage import Storage

_WORKERS = 4
_TIMEOUT_SECONDS = 10.0
# How long to wait before each further try; the last one repeats. Providers retry over days with growing gaps; the first
# gaps are short here, because whoever runs a sandbox restarts his gateway every minute.
_RETRY_SECONDS = (1, 5, 30, 120, 600, 1800, 3600)
_GIVE_UP_ATTEMPTS = 80  # about three days
# While the endpoint does not even accept connections, each worker holds on to what it has, so that a long queue is not
# tried in vain. The last one repeats.
_PAUSE_SECONDS = (0.5, 1, 2, 5)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One webhook request."""

    body: bytes
    headers: dict[str, str]


class Mail(Protocol):
    """What is delivered: how events become requests, and what to note afterwards."""

    def parcel(self, ids: list[str], now: int) -> Parcel | None:
        """Return the request that carries these events, or None when there is nothing left to say."""
        ...

    def delivered(self, ids: list[str]) -> None:
        """Note that these events need no further try."""
        ...


@dataclass(frozen=True, slots=True)
class _Item:
    id: str
    attempt: int = 0


class Courier:
    """Delivers the events of one provider to one address."""

    def __init__(self, url: str, kind: str, mail: Mail, storage: Storage, clock: Clock, *, batch: int) -> None:
        self._url = url
        self._kind = kind
        self._mail = mail
        self._storage = storage
        self._clock = clock
        self._batch = batch
        self._queue: asyncio.Queue[_Item] = asyncio.Queue()
        self._waiting: set[asyncio.Task[None]] = set()
        self._workers: list[asyncio.Task[None]] = []

    @property
    def enabled(self) -> bool:
        """Whether there is an address to deliver to."""
        return bool(self._url)

    def post(self, id_: str) -> None:
        """Deliver an event as soon as may be."""
        if self.enabled:
            self._queue.put_nowait(_Item(id_))

    async def start(self) -> None:
        """Take up what an earlier run left, and begin."""
        if not self.enabled:
            return
        for event in self._storage.pending_ids(self._kind):
            self._queue.put_nowait(_Item(event))
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)
        self._workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]

    async def stop(self) -> None:
        """Stop; what was not delivered stays in the state."""
        for task in (*self._workers, *self._waiting):
            task.cancel()
        outcomes = await asyncio.gather(*self._workers, *self._waiting, return_exceptions=True)
        if self._workers:
            await self._session.close()
        for outcome in outcomes:
            if isinstance(outcome, Exception):  # a defect: workers end only by being cancelled
                raise outcome

    async def _work(self) -> None:
        while True:
            items = await self._take()
            pauses = itertools.chain(_PAUSE_SECONDS, itertools.repeat(_PAUSE_SECONDS[-1]))
            while (taken := await self._deliver(items)) is None:
                await self._clock.sleep(next(pauses))
            if not taken:
                self._later(items)

    async def _take(self) -> list[_Item]:
        items = [await self._queue.get()]
        with contextlib.suppress(asyncio.QueueEmpty):
            while len(items) < self._batch:
                items.append(self._queue.get_nowait())
        return items

    async def _deliver(self, items: Sequence[_Item]) -> bool | None:
        """Tell whether the endpoint took the events; None when nobody listens there."""
        # Nobody is told of what the disk does not have yet.
        await self._storage.committed()
        ids = [item.id for item in items]
        parcel = self._mail.parcel(ids, int(self._clock.now().timestamp()))
        if parcel is None:
            return True
        try:
            async with self._session.post(
                self._url, data=parcel.body, headers=parcel.headers, allow_redirects=False
            ) as response:
                await response.read()
                taken = 200 <= response.status < 300  # noqa: PLR2004  (HTTP success)
        except aiohttp.ClientConnectorError:
            return None
        except (aiohttp.ClientError, TimeoutError):
            return False
        if taken:
            self._mail.delivered(ids)
        return taken

    def _later(self, items: Sequence[_Item]) -> None:
        given_up = [item.id for item in items if item.attempt >= _GIVE_UP_ATTEMPTS]
        self._mail.delivered(given_up)
        again = [_Item(item.id, item.attempt + 1) for item in items if item.attempt < _GIVE_UP_ATTEMPTS]
        if not again:
            return
        seconds = _RETRY_SECONDS[min(again[0].attempt - 1, len(_RETRY_SECONDS) - 1)]

        async def requeue() -> None:
            await self._clock.sleep(seconds)
            for item in again:
                self._queue.put_nowait(item)

        task = asyncio.create_task(requeue())
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
