"""Shops that place orders without pause, repeat with the same key when in doubt, and write down what they are told."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import httpx

Json = dict[str, Any]

EXAMPLE: Json = json.loads((Path(__file__).parents[2] / "examples" / "order.json").read_text())

# What a payment method makes of an order, once and for all.
FATES = {
    "pm_card_visa": "PAID",
    "pm_card_chargeDeclined": "FAILED",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "FAILED",
}
_WEIGHTS = (8, 1, 1)

# An answer takes at most ten seconds, and then some for a machine that is busy.
_CALL_SECONDS = 15.0
_PAUSE_SECONDS = 0.2

# How often two equal calls are sent at the same time.
_TWICE = 0.1


@dataclass(slots=True)
class Asked:
    """One order as a shop knows it.

    Attributes:
        key: Its Idempotency-Key.
        payment_method: How it is paid.
        told: Every order id and state that an answer has named, with its time in seconds since the start.
        done: Whether an answer was final, so that the shop asks no more.
    """

    key: str
    payment_method: str
    told: list[tuple[str, str, float]] = field(default_factory=list)
    done: bool = False

    @property
    def order_ids(self) -> set[str]:
        """The orders that answers have named: one, if all is well."""
        return {order_id for order_id, _, _ in self.told}


class History:
    """What shops sent and were told, on disk before and after each call.

    Args:
        path: The file, a JSON object in each line.
    """

    def __init__(self, path: Path) -> None:
        self._started = time.monotonic()
        self._path = path
        self._file: TextIO = path.open("a")

    def note(self, **what: object) -> float:
        """Write a line and flush it; returns its time in seconds since the start."""
        at = round(time.monotonic() - self._started, 3)
        self._file.write(json.dumps({"at": at, **what}) + "\n")
        self._file.flush()
        return at

    def of(self, key: str) -> Iterator[str]:
        """Yield the lines about a key, and those about the nemesis from its first line on."""
        begun = False
        for line in self._path.read_text().splitlines():
            entry = json.loads(line)
            begun = begun or entry.get("key") == key
            if entry.get("key") == key or (begun and "nemesis" in entry):
                yield line

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Shops:
    """A steady load.

    Args:
        base_url: The gateway's.
        history: Where everything is written down.
        rng: Draws orders and pauses.
        count: How many orders are placed side by side.

    Attributes:
        asked: Every order so far, by key.
        succeeded: Set whenever an order is told PAID.
    """

    def __init__(self, base_url: str, history: History, rng: random.Random, count: int = 12) -> None:
        self.asked: dict[str, Asked] = {}
        self.succeeded = asyncio.Event()
        self._history = history
        self._rng = rng
        self._count = count
        self._opened = True
        self._client = httpx.AsyncClient(base_url=base_url, timeout=_CALL_SECONDS)
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin to place orders."""
        self._opened = True
        self._tasks = [asyncio.create_task(self._serve(), name=f"shop {at}") for at in range(self._count)]

    async def close(self) -> None:
        """Place no new orders, and return once every order that was begun has a final answer."""
        self._opened = False
        await asyncio.gather(*self._tasks)
        self._tasks = []

    async def abandon(self) -> None:
        """Stop at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _serve(self) -> None:
        while self._opened:
            (method,) = self._rng.choices(list(FATES), _WEIGHTS)
            asked = Asked(f"key-{len(self.asked)}", method)
            self.asked[asked.key] = asked
            twice = self._rng.random() < _TWICE
            await asyncio.gather(*(self._place(asked) for _ in range(2 if twice else 1)))
            await asyncio.sleep(self._rng.uniform(0, 2 * _PAUSE_SECONDS))

    async def _place(self, asked: Asked) -> None:
        """Place an order; again with the same key for as long as the answer is not final."""
        order = {**EXAMPLE, "payment_method": asked.payment_method}
        final = False
        while not final:
            final = await self._ask(asked, order)
            await asyncio.sleep(self._rng.uniform(_PAUSE_SECONDS, 3 * _PAUSE_SECONDS))

    async def _ask(self, asked: Asked, order: Json) -> bool:
        """Ask once, and say whether the answer is final."""
        self._history.note(key=asked.key, asks=asked.payment_method)
        try:
            answer = await self._client.post("/api/v1/orders", json=order, headers={"Idempotency-Key": asked.key})
        except httpx.HTTPError as error:
            self._history.note(key=asked.key, hears=type(error).__name__)
            return False
        body: Json = answer.json()
        order_id, state = _named(answer.status_code, body)
        at = self._history.note(
            key=asked.key, status=answer.status_code, order_id=order_id, state=state, reason=body.get("reason", "")
        )
        if order_id:
            asked.told.append((order_id, state, at))
        final = state in {"PAID", "FAILED"}
        if state == "PAID":
            self.succeeded.set()
        asked.done = asked.done or final
        return final


def _named(status: int, body: Json) -> tuple[str, str]:
    """Return the order and the state that an answer names; the state is empty where it names none."""
    if status in {httpx.codes.OK, httpx.codes.CREATED}:
        return body["order_id"], body["state"]
    order_id = body.get("order_id", "")
    # An order that has failed answers with the reason why: what a card refused stays refused.
    return order_id, "FAILED" if order_id and status == httpx.codes.PAYMENT_REQUIRED else ""


@contextmanager
def kept_history(path: Path) -> Iterator[History]:
    """Keep a history in a file while the context is open."""
    history = History(path)
    try:
        yield history
    finally:
        history.close()
