"""Stripe's webhooks: signed events about whatever happens there, on their way to the payment service.

They come when they come: lost, more than once, hours late, in any order, before what they are about is stored; and what
comes is not always from Stripe. One that is not answered with success is sent again until it is.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from ordermesh.payment.v1 import payment_service_pb2

from chassis.config import Secret
from chassis.errors import refusal_of
from kernel.errors import Reason
from payment_svc.adapters.tables import METADATA as PAYMENT_TABLES
from tests.simulation.chaos import EVENT
from tests.simulation.shelf import shelf
from tests.simulation.wire import Stub
from tests.simulation.world import World

SECRET = Secret("whsec_of_the_simulated_world")
_OTHER_SECRET = Secret("whsec_of_somebody_else")

# How long an event is under way as a rule. What happens at once overtakes one another, and our own commits.
_DELAYS = (0.0, 0.02, 0.3, 3.0)
_LATE = (60.0, 900.0, 7_200.0)

# How long the gateway waits for an answer, and Stripe until it sends an event again; the last for as long as it takes.
_PATIENCE_SECONDS = 10.0
_AGAIN_AFTER = (5.0, 60.0, 600.0, 3_600.0)

# Beyond Stripe's own tolerance of five minutes either way, however long the network takes.
_WRONG_CLOCKS = {"stale": -301.0, "future": 1_800.0, "forged": 0.0}


@dataclass(frozen=True, slots=True)
class _Event:
    event_id: str
    kind: str
    payload: bytes


class Webhooks:
    """What Stripe tells by itself.

    Args:
        world: Where it does.
        payments: Where the gateway hands events on to.
    """

    def __init__(self, world: World, payments: Stub) -> None:
        self._world = world
        self._payments = payments
        self._count = 0

    def tell(self, kind: str, about: Mapping[str, object]) -> bool:
        """Send an event about an object, as it is now; False when it will never arrive."""
        event = self._event(kind, about)
        fault = self._world.chaos.draw(EVENT, f"event.{kind}")
        delay = self._world.luck.choice(_DELAYS)
        match fault:
            case "lost_event":
                return False
            case "late_event":
                delay += self._world.chaos.pick(*_LATE)
            case "twice" | "thrice":
                # All at once; the last is sent below.
                for _ in range(1 if fault == "twice" else 2):
                    self._send(event, delay)
            case "forged" | "stale" | "future":
                false = self._event("payment_intent.succeeded", {**about, "status": "succeeded"})
                self._world.later(delay, self._begin_false, false, fault)
            case "strange":
                self._send(self._event("terminal.reader.action_failed", {"object": "terminal.reader"}), delay)
            case _:
                pass
        self._send(event, delay)
        return True

    def _event(self, kind: str, about: Mapping[str, object]) -> _Event:
        self._count += 1
        event_id = f"evt_{self._count}"
        body = {"id": event_id, "object": "event", "type": kind, "livemode": False, "data": {"object": dict(about)}}
        return _Event(event_id, kind, json.dumps(body).encode())

    def _send(self, event: _Event, delay: float, tries: int = 0) -> None:
        self._world.later(delay, _begin, self, event, tries)

    def _begin_false(self, event: _Event, fault: str) -> None:
        asyncio.ensure_future(self._deliver_false(event, fault))  # noqa: RUF006  (it ends with its call)

    async def deliver(self, event: _Event, tries: int) -> None:
        """Deliver an event once, and again later if that was not answered with success."""
        try:
            await self._hand_over(event, SECRET, 0.0)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            if refusal is not None and refusal.reason is Reason.SIGNATURE_INVALID:
                self._world.violated(f"P-40: {event.event_id} is genuine and was refused")
            self._send(event, _AGAIN_AFTER[min(tries, len(_AGAIN_AFTER) - 1)], tries + 1)
        else:
            if not _stored(event):
                self._world.violated(f"P-42: {event.event_id} was answered and is not stored")

    async def _deliver_false(self, event: _Event, fault: str) -> None:
        secret = _OTHER_SECRET if fault == "forged" else SECRET
        try:
            await self._hand_over(event, secret, _WRONG_CLOCKS[fault])
        except grpc.aio.AioRpcError:
            pass
        else:
            self._world.violated(f"P-40: {event.event_id} is {fault} and was taken")
        if _stored(event):
            self._world.violated(f"P-40: {event.event_id} is {fault} and was stored")

    async def _hand_over(self, event: _Event, secret: Secret, clock_is_off_by: float) -> Any:  # noqa: ANN401  (a message)
        at = int(self._world.now_ms() / 1_000 + clock_is_off_by)
        mac = hmac.new(secret.reveal().encode(), b"%d.%s" % (at, event.payload), hashlib.sha256).hexdigest()
        request = payment_service_pb2.IngestStripeEventRequest(payload=event.payload, signature=f"t={at},v1={mac}")
        return await self._payments.IngestStripeEvent(request, timeout=_PATIENCE_SECONDS)


def _begin(webhooks: Webhooks, event: _Event, tries: int) -> None:
    asyncio.ensure_future(webhooks.deliver(event, tries))  # noqa: RUF006  (it ends with its call)


def _stored(event: _Event) -> bool:
    query = "SELECT 1 FROM stripe_events WHERE event_id = ?"
    return shelf(PAYMENT_TABLES).row(query, event.event_id) is not None
