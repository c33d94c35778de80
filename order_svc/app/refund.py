"""Giving money back for a paid order."""

from kernel.request import Request
from order_svc.app.command import Commands
from order_svc.domain.commands import Command
from order_svc.domain.giving_back import Wanted, refund
from order_svc.domain.order import Order


class RefundOrder:
    """The use case."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def __call__(self, order_id: str, wanted: Wanted, etag: str, request: Request, seconds: float) -> Order:
        """Return the order with the refund: given back, on its way, or FAILED with an alert.

        Args:
            order_id: The order.
            wanted: What is to be given back.
            etag: The version that the caller has decided on; empty for any.
            request: The idempotency key and the fingerprint of the request.
            seconds: How long the caller waits.

        Raises:
            Refusal: The state does not allow it, more is asked for than is left, or the order has no such lines.
        """
        return await self._commands(
            Command.REFUND, order_id, etag, request, lambda order, now: refund(order, wanted, now), seconds
        )
