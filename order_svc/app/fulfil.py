"""Noting how far the goods are: being prepared, on their way, arrived."""

from kernel.request import Request
from order_svc.app.command import Commands
from order_svc.app.place import answer
from order_svc.domain.commands import Command, process
from order_svc.domain.order import Order
from order_svc.domain.shipping import Handover, deliver, ship


class FulfilOrder:
    """The use cases. Each names the version that the caller has decided on, empty for any, and the idempotency key."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def process(self, order_id: str, etag: str, request: Request) -> Order:
        """Return the order, PROCESSING.

        Raises:
            Refusal: The state does not allow it.
        """
        return await self._commands(Command.PROCESS, order_id, etag, request, process)

    async def ship(self, order_id: str, handover: Handover, etag: str, request: Request, seconds: float) -> Order:
        """Return the order with the shipment; held money was taken for it, as long as the caller waits.

        Raises:
            Refusal: The state does not allow it; the order has no such articles left; or the hold on the money is gone.
        """
        return answer(
            await self._commands(
                Command.SHIP, order_id, etag, request, lambda order, now: ship(order, handover, now), seconds
            )
        )

    async def deliver(self, order_id: str, shipment: int, etag: str, request: Request) -> Order:
        """Return the order, DELIVERED once every shipment has arrived.

        Raises:
            Refusal: The state does not allow it, or there is no such shipment.
        """
        return await self._commands(
            Command.DELIVER, order_id, etag, request, lambda order, now: deliver(order, shipment, now)
        )
