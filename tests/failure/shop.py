"""Shops that place orders without pause, repeat with the same key when in doubt, and write down what they are told."""

import asyncio
import json
import random
import time
from contextlib import suppress
from pathlib import Path

import httpx

from tests.failure.counter import Counter, reference_of
from tests.failure.history import History, Json
from tests.failure.lives import LIVES
from tests.failure.told import Asked

EXAMPLE: Json = json.loads((Path(__file__).parents[2] / "examples" / "order.json").read_text())

# The gateway gives up after fifteen seconds; this is for a gateway that does not answer at all.
_CALL_SECONDS = 20.0
_PAUSE_SECONDS = 0.2

# How often two equal calls are sent at the same time.
_TWICE = 0.1

# The states in which placing an order goes on by itself, or waits for its customer.
_OPEN = frozenset({"PENDING", "PAYMENT_ACTION_REQUIRED"})


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
        self._counter = Counter(self._client, self._orders_url, history, rng)
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin to place orders."""
        self._opened = True
        self._tasks = [asyncio.create_task(self._serve(), name=f"shop {at}") for at in range(self._count)]

    async def close(self) -> None:
        """Place no new orders, and return once every order that was begun has its last answer."""
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
            (life,) = self._rng.choices([life for life, _ in LIVES], [often for _, often in LIVES])
            asked = Asked(f"key-{len(self.asked)}", life)
            self.asked[asked.key] = asked
            twice = self._rng.random() < _TWICE
            placing = [self._place(asked) for _ in range(2 if twice else 1)]
            await asyncio.gather(*placing, *([self._counter.cancel_meanwhile(asked)] if life.cancels else []))
            if life.course and len(asked.order_ids) == 1:
                await self._counter.go_through(asked)
            await asyncio.sleep(self._rng.uniform(0, 2 * _PAUSE_SECONDS))

    async def _place(self, asked: Asked) -> None:
        """Place an order; again with the same key for as long as the answer is not final."""
        order = {
            **EXAMPLE,
            "payment_method": asked.life.payment_method,
            "reference": reference_of(asked.key),
            **asked.life.order,
        }
        final = False
        while not final:
            final = await self._ask(asked, order)
            await asyncio.sleep(self._rng.uniform(_PAUSE_SECONDS, 3 * _PAUSE_SECONDS))

    async def _ask(self, asked: Asked, order: Json) -> bool:
        """Ask once, and say whether the answer is final."""
        self._history.note(key=asked.key, asks=asked.life.payment_method)
        began = time.monotonic()
        try:
            answer = await self._client.post(self._orders_url, json=order, headers={"Idempotency-Key": asked.key})
        except httpx.HTTPError as error:
            self._history.note(key=asked.key, hears=type(error).__name__)
            return False
        finally:
            self.longest_answer = max(self.longest_answer, time.monotonic() - began)
        body: Json = answer.json()
        said = {name: body[name] for name in ("order_id", "state", "version", "reason") if name in body}
        at = self._history.note(key=asked.key, status=answer.status_code, **said)
        if answer.status_code not in {httpx.codes.OK, httpx.codes.CREATED}:
            # An order that has failed answers with the reason why: what a card refused stays refused.
            refused = answer.status_code == httpx.codes.PAYMENT_REQUIRED
            asked.failed |= {body["order_id"]} if refused else set()
            return refused
        asked.told.append((body, at))
        return await self._heard(asked, body)

    async def _heard(self, asked: Asked, body: Json) -> bool:
        """Do what an answer asks for, and say whether it was the last one."""
        state = body["state"]
        if state == "PAID":
            self.succeeded.set()
        if state == "PAYMENT_ACTION_REQUIRED" and asked.life.authenticates:
            await self._authenticate(asked, body["payment"]["provider_payment_id"])
            return False
        # Another payment method is a command of its own.
        waits = state == "PAYMENT_ACTION_REQUIRED" and body["payment"]["state"] == "DECLINED"
        return waits or state not in _OPEN

    async def _authenticate(self, asked: Asked, intent_id: str) -> None:
        """Let the customer do what 3-D Secure asks for; when nobody hears it, the next answer asks for it again."""
        outcome = asked.life.authenticates
        self._history.note(key=asked.key, authenticates=outcome)
        with suppress(httpx.HTTPError):
            await self._client.post(f"{self._customers_url}/{intent_id}/authenticate", json={"outcome": outcome})
