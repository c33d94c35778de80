"""Shops that place orders without pause, repeat with the same key when in doubt, and write down what they are told."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import httpx

Json = dict[str, Any]

EXAMPLE: Json = json.loads((Path(__file__).parents[2] / "examples" / "order.json").read_text())


@dataclass(frozen=True, slots=True)
class Customer:
    """Who buys.

    Attributes:
        payment_method: How they pay.
        fate: The state that their order must end in.
        authenticates: What they make of 3-D Secure, when they are asked: "succeed" or "fail".
    """

    payment_method: str
    fate: str
    authenticates: str = ""


_CUSTOMERS = {
    Customer("pm_card_visa", "PAID"): 7,
    Customer("pm_card_chargeDeclined", "FAILED"): 1,
    Customer("pm_card_visa_chargeDeclinedInsufficientFunds", "FAILED"): 1,
    Customer("pm_card_threeDSecure2Required", "PAID", "succeed"): 2,
    Customer("pm_card_threeDSecure2Required", "FAILED", "fail"): 1,
}
"""The customers that there are, and how often each comes."""

# The gateway gives up after fifteen seconds; this is for a gateway that does not answer at all.
_CALL_SECONDS = 20.0
_PAUSE_SECONDS = 0.2

# How often two equal calls are sent at the same time.
_TWICE = 0.1


@dataclass(slots=True)
class Asked:
    """One order as a shop knows it.

    Attributes:
        key: Its Idempotency-Key.
        customer: Who buys.
        told: Every order id and state that an answer has named, with its time in seconds since the start.
        done: Whether an answer was final, so that the shop asks no more.
    """

    key: str
    customer: Customer
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
        rest_url: The gateway's.
        sandbox_url: The outside world's, where customers authenticate.
        history: Where everything is written down.
        rng: Draws orders and pauses.
        count: How many orders are placed side by side.

    Attributes:
        asked: Every order so far, by key.
        succeeded: Set whenever an order is told PAID.
        longest_answer: How long an answer took at most, in seconds; a timeout counts as one.
    """

    def __init__(self, rest_url: str, sandbox_url: str, history: History, rng: random.Random, count: int = 12) -> None:
        self.asked: dict[str, Asked] = {}
        self.succeeded = asyncio.Event()
        self.longest_answer = 0.0
        self._orders_url = f"{rest_url}/api/v1/orders"
        self._customers_url = f"{sandbox_url}/stripe/_sandbox/payment_intents"
        self._history = history
        self._rng = rng
        self._count = count
        self._opened = True
        self._client = httpx.AsyncClient(timeout=_CALL_SECONDS)
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
            (customer,) = self._rng.choices(list(_CUSTOMERS), list(_CUSTOMERS.values()))
            asked = Asked(f"key-{len(self.asked)}", customer)
            self.asked[asked.key] = asked
            twice = self._rng.random() < _TWICE
            await asyncio.gather(*(self._place(asked) for _ in range(2 if twice else 1)))
            await asyncio.sleep(self._rng.uniform(0, 2 * _PAUSE_SECONDS))

    async def _place(self, asked: Asked) -> None:
        """Place an order; again with the same key for as long as the answer is not final."""
        order = {**EXAMPLE, "payment_method": asked.customer.payment_method}
        final = False
        while not final:
            final = await self._ask(asked, order)
            await asyncio.sleep(self._rng.uniform(_PAUSE_SECONDS, 3 * _PAUSE_SECONDS))

    async def _ask(self, asked: Asked, order: Json) -> bool:
        """Ask once, and say whether the answer is final."""
        self._history.note(key=asked.key, asks=asked.customer.payment_method)
        began = time.monotonic()
        try:
            answer = await self._client.post(self._orders_url, json=order, headers={"Idempotency-Key": asked.key})
        except httpx.HTTPError as error:
            self._history.note(key=asked.key, hears=type(error).__name__)
            return False
        finally:
            self.longest_answer = max(self.longest_answer, time.monotonic() - began)
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
        if state == "PAYMENT_ACTION_REQUIRED":
            await self._authenticate(asked, body["payment"]["provider_payment_id"])
        asked.done = asked.done or final
        return final

    async def _authenticate(self, asked: Asked, intent_id: str) -> None:
        """Let the customer do what 3-D Secure asks for; when nobody hears it, the next answer asks for it again."""
        outcome = asked.customer.authenticates
        self._history.note(key=asked.key, authenticates=outcome)
        with suppress(httpx.HTTPError):
            await self._client.post(f"{self._customers_url}/{intent_id}/authenticate", json={"outcome": outcome})


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
