"""The clients: shops that place orders, ask again with the same key, ask twice at once, and hang up."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2

from chassis.errors import refusal_of
from kernel.errors import Reason
from tests.fakes.order_requests import place_request
from tests.fakes.payment_gateway import DECLINED, MISSING, SLOW_BANK, THREE_D_SECURE, VISA
from tests.simulation.wire import Stub
from tests.simulation.world import World

# Mostly cards that are charged, or whose customers have to act first: there is most to lose.
_CARDS = (VISA, VISA, VISA, THREE_D_SECURE, THREE_D_SECURE, DECLINED, DECLINED, MISSING, SLOW_BANK)
_CARDS_OF_LATE_CUSTOMERS = (THREE_D_SECURE, THREE_D_SECURE, THREE_D_SECURE, DECLINED)

_PATIENCE_SECONDS = 10.0

_OPEN = {Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.INTERNAL, Reason.OVERLOADED}

_PAID = order_pb2.ORDER_STATE_PAID
_FAILED = order_pb2.ORDER_STATE_FAILED


@dataclass
class Told:
    """What the clients of one order were told.

    Attributes:
        key: Its idempotency key.
        order_ids: The order's ids, in the order in which they were heard; one, if all is well.
        ends: "PAID" or "FAILED", as often as it was heard.
    """

    key: str
    order_ids: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)


class Shops:
    """All clients of a world.

    Args:
        world: Where they are.
        orders: The order service.
    """

    def __init__(self, world: World, orders: Stub) -> None:
        # Apart from the faults, so that another kind of fault leaves the orders as they are.
        self._random = random.Random(f"shops {world.seed}")
        self._world = world
        self._orders = orders
        self._retries = 0
        self.told = [Told(f"key-{number}") for number in range(self._random.randint(1, 4))]

    async def shop(self) -> None:
        """Place all orders, each until it was answered or everybody has lost patience."""
        shopping = []
        cards = _CARDS_OF_LATE_CUSTOMERS if self._world.customers_are_late else _CARDS
        for told in self.told:
            card = self._random.choice(cards)
            request = place_request(told.key, card)
            for _ in range(self._random.choice((1, 1, 2, 3))):
                begins = self._random.uniform(0.0, 6.0)
                shopping.append(asyncio.create_task(self._place(told, request, begins)))
        await asyncio.gather(*shopping)

    async def take_up(self, order_ids: Sequence[str]) -> None:
        """Have somebody at the shop take orders up again that were left to a person."""
        for order_id in order_ids:
            self._retries += 1
            request = order_service_pb2.RetryOrderRequest(request_id=f"retry-{self._retries}", order_id=order_id)
            with suppress(grpc.aio.AioRpcError):
                await self._orders.RetryOrder(request, timeout=_PATIENCE_SECONDS)

    async def _place(self, told: Told, request: order_service_pb2.PlaceOrderRequest, begins: float) -> None:
        await asyncio.sleep(begins)
        for wait in (0.2, 1.0, 3.0, 10.0, 40.0):
            patience = self._random.choice((0.3, 2.0, 12.0, 30.0))
            asking = asyncio.create_task(self._ask(told, request, patience))
            if self._random.random() < 0.1:
                await asyncio.wait({asking}, timeout=self._random.uniform(0.0, 2.0))
                asking.cancel()  # hangs up
                await asyncio.wait({asking})
            elif await asking:
                return
            await asyncio.sleep(wait)

    async def _ask(self, told: Told, request: order_service_pb2.PlaceOrderRequest, patience: float) -> bool:
        """Ask once, and say whether that settled it."""
        try:
            answer = await self._orders.PlaceOrder(request, timeout=patience)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            if refusal is None or refusal.reason in _OPEN:
                return False
            if refusal.reason is Reason.REQUEST_ID_REUSED or "orderId" not in refusal.metadata:
                self._world.violated(f"P-3: {told.key} was refused: {refusal.reason} {refusal.message}")
                return True
            self._heard(told, refusal.metadata["orderId"], "FAILED")
            return True
        order = answer.order
        self._heard(told, order.order_id, {_PAID: "PAID", _FAILED: "FAILED"}.get(order.state, ""))
        return bool(order.state in {_PAID, _FAILED})

    def _heard(self, told: Told, order_id: str, end: str) -> None:
        self._world.note(f"{told.key} is order {order_id} {end}")
        if order_id not in told.order_ids:
            told.order_ids.append(order_id)
        if len(told.order_ids) > 1:
            self._world.violated(f"P-2: {told.key} stands for {told.order_ids}")
        if end:
            told.ends.append(end)
