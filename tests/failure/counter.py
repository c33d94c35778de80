"""Where a shop gives its commands: each again with the same key, until an answer settles it."""

import asyncio
import random
from collections.abc import Mapping

import httpx

from tests.failure.history import History, Json
from tests.failure.lives import CANCEL, Command, rivals
from tests.failure.told import Asked, Given, is_done

# After these answers, and after none, it is not known whether anything was done.
_OPEN = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "OVERLOADED", "INTERNAL", ""})

# What a command carries of its key, so that what it makes can be told from what others make.
_CARRIES: Mapping[str, str] = {"refund": "reason", "cancel": "reason", "ship": "tracking_number"}

_PAUSE_SECONDS = 0.2

# How often a command is given by two callers at once, under one key.
_TWICE = 0.2


class Counter:
    """Gives commands.

    Args:
        client: Calls the gateway.
        orders_url: Where orders are.
        history: Where everything is written down.
        rng: Draws pauses, and who asks twice.
    """

    def __init__(self, client: httpx.AsyncClient, orders_url: str, history: History, rng: random.Random) -> None:
        self._client = client
        self._orders_url = orders_url
        self._history = history
        self._rng = rng

    async def go_through(self, asked: Asked) -> None:
        """Give every command of an order's course that was placed, one after another; those that race, at once."""
        (order_id,) = asked.order_ids
        for step in asked.life.course:
            given = [self._new(asked, command, alone=not rivals(step)) for command in step]
            await asyncio.gather(*(self._give(asked, order_id, each) for each in given))

    async def cancel_meanwhile(self, asked: Asked) -> None:
        """Cancel an order that is being placed, as soon as it can be seen."""
        order_id = ""
        while not order_id:
            await asyncio.sleep(self._rng.uniform(0.0, _PAUSE_SECONDS))
            order_id = await self._find(asked)
        await self._give(asked, order_id, self._new(asked, CANCEL, alone=False))

    def _new(self, asked: Asked, command: Command, *, alone: bool) -> Given:
        given = Given(f"{asked.key}.{len(asked.given)}-{command.verb}", command, alone)
        asked.given.append(given)
        return given

    async def _find(self, asked: Asked) -> str:
        """Return the id of an order by its reference; empty when there is none yet, or nobody says."""
        try:
            answer = await self._client.get(self._orders_url, params={"reference_prefix": reference_of(asked.key)})
        except httpx.HTTPError:
            return ""
        found = answer.json().get("orders", []) if answer.status_code == httpx.codes.OK else []
        return str(found[0]["order_id"]) if found else ""

    async def _give(self, asked: Asked, order_id: str, given: Given) -> None:
        callers = 2 if self._rng.random() < _TWICE else 1
        await asyncio.gather(*(self._insist(asked, order_id, given) for _ in range(callers)))

    async def _insist(self, asked: Asked, order_id: str, given: Given) -> None:
        """Give a command until an answer settles it: done, refused, or overtaken by another."""
        end = ""
        while not end:
            end = await self._ask(asked, order_id, given)
            await asyncio.sleep(self._rng.uniform(_PAUSE_SECONDS, 3 * _PAUSE_SECONDS))
        given.ends.append(end)

    async def _ask(self, asked: Asked, order_id: str, given: Given) -> str:
        """Ask once, and return what settles it; empty when nothing does yet."""
        body = dict(given.command.body)
        if given.command.verb in _CARRIES:
            body[_CARRIES[given.command.verb]] = given.key
        url = f"{self._orders_url}/{order_id}:{given.command.verb}"
        self._history.note(key=asked.key, gives=given.key)
        try:
            answer = await self._client.post(url, json=body, headers={"Idempotency-Key": given.key})
        except httpx.HTTPError as error:
            self._history.note(key=asked.key, gives=given.key, hears=type(error).__name__)
            return ""
        told: Json = answer.json()
        end = self._end(asked, given, answer.status_code, told)
        said = {name: told[name] for name in ("state", "version", "reason", "detail") if name in told}
        self._history.note(key=asked.key, gives=given.key, status=answer.status_code, end=end, **said)
        return end

    def _end(self, asked: Asked, given: Given, status: int, told: Json) -> str:
        if status != httpx.codes.OK:
            reason = str(told.get("reason", ""))
            return "" if reason in _OPEN else reason
        asked.told.append((told, self._history.note(key=asked.key)))
        if is_done(given, told):
            return "done"
        return "overtaken" if told["state"] == "CANCELLED" else ""


def reference_of(key: str) -> str:
    """Return the reference by which an order is found, which is no beginning of another's."""
    return f"{key}/"
