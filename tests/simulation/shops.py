"""The clients: shops that place orders, ask again with the same key, ask twice at once, hang up, and go on."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import grpc
from ordermesh.order.v1 import order_service_pb2

from chassis.errors import refusal_of
from kernel.errors import Reason
from tests.fakes.payment_gateway import DECLINED, MISSING, SLOW_BANK, THREE_D_SECURE, VISA
from tests.simulation import moves, wares
from tests.simulation.errands import ASKS_AGAIN_AFTER, OPEN, Clerk, Told, drawn, state_of
from tests.simulation.wire import Stub
from tests.simulation.world import World

# Mostly cards that are charged, or whose customers have to act first: there is most to lose.
_CARDS = (VISA, VISA, VISA, THREE_D_SECURE, THREE_D_SECURE, DECLINED, DECLINED, MISSING, SLOW_BANK)
_CARDS_OF_LATE_CUSTOMERS = (THREE_D_SECURE, THREE_D_SECURE, THREE_D_SECURE, DECLINED)

_PATIENCE_SECONDS = 10.0

# How long a shop waits for the answer to a command, and how many commands it has for an order. Two may work on the same
# order, without knowing of each other.
_WAITS_FOR_COMMANDS = (0.3, 2.0, 12.0)
_ERRANDS = (0, 0, 1, 2, 3, 5)
_CLERKS = (1, 1, 1, 2)

# A hasty shop begins while the order is still being charged.
_HASTY = 0.3
_UNHURRIED_SECONDS = 3.0


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
        self._looked_at: set[str] = set()
        self._clerk = Clerk(world, orders, lambda: self._random.choice(_WAITS_FOR_COMMANDS))
        self.told = [Told(f"key-{number}") for number in range(self._random.randint(1, 4))]

    async def shop(self) -> None:
        """Place all orders, each until it was answered or everybody has lost patience."""
        shopping = []
        cards = _CARDS_OF_LATE_CUSTOMERS if self._world.customers_are_late else _CARDS
        for told in self.told:
            card = self._random.choice(cards)
            request = wares.order_of(told.key, card, self._random)
            for _ in range(self._random.choice((1, 1, 2, 3))):
                begins = self._random.uniform(0.0, 6.0)
                shopping.append(asyncio.create_task(self._place(told, request, begins)))
            clerks = [self._random.choice(_ERRANDS) for _ in range(self._random.choice(_CLERKS))]
            shopping += [asyncio.create_task(self._work(told, errands)) for errands in clerks]
        await asyncio.gather(*shopping)

    async def take_up(self, order_ids: Sequence[str]) -> None:
        """Have somebody at the shop take orders up again that were left to a person."""
        for order_id in order_ids:
            self._retries += 1
            request = order_service_pb2.RetryOrderRequest(request_id=f"retry-{self._retries}", order_id=order_id)
            with suppress(grpc.aio.AioRpcError):
                await self._orders.RetryOrder(request, timeout=_PATIENCE_SECONDS)

    async def look_after(self, order_ids: Sequence[str]) -> bool:
        """Have somebody look, once, at each order that is marked though nothing waits; say whether there were any."""
        new = [each for each in order_ids if each not in self._looked_at]
        self._looked_at.update(new)
        await self.take_up(new)
        return bool(new)

    async def _work(self, told: Told, errands: int) -> None:
        """Do what a shop does with an order, until it has done enough."""
        if not errands or not await self._clerk.found(told):
            return
        if self._random.random() > _HASTY:
            await asyncio.sleep(self._random.uniform(0.0, _UNHURRIED_SECONDS))
        for _ in range(errands):
            errand = drawn(told, self._random)
            if errand is None:
                return
            await asyncio.sleep(errand.after)
            await self._clerk.run(told, errand)

    async def _place(self, told: Told, request: order_service_pb2.PlaceOrderRequest, begins: float) -> None:
        await asyncio.sleep(begins)
        for wait in ASKS_AGAIN_AFTER:
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
            if refusal is None or refusal.reason in OPEN:
                return False
            if refusal.reason is Reason.REQUEST_ID_REUSED or "orderId" not in refusal.metadata:
                self._world.violated(f"P-3: {told.key} was refused: {refusal.reason} {refusal.message}")
                return True
            self._heard(told, refusal.metadata["orderId"], "FAILED")
            return True
        state = state_of(answer.order)
        self._heard(told, answer.order.order_id, state)
        return state not in moves.OPEN

    def _heard(self, told: Told, order_id: str, state: str) -> None:
        self._world.note(f"{told.key} is order {order_id} {state}")
        if order_id not in told.order_ids:
            told.order_ids.append(order_id)
        if len(told.order_ids) > 1:
            self._world.violated(f"P-2: {told.key} stands for {told.order_ids}")
        told.ends.append(state)
