"""Cancelling an order whose money was not taken."""

from kernel.request import Request
from order_svc.app.command import Commands
from order_svc.domain.commands import Command, cancel, illegal
from order_svc.domain.order import Order


class CancelOrder:
    """The use case."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def __call__(self, order_id: str, reason: str, etag: str, request: Request, seconds: float) -> Order:
        """Return the order: CANCELLED, or on its way there.

        Args:
            order_id: The order.
            reason: For the journal; may be empty.
            etag: The version that the caller has decided on; empty for any.
            request: The idempotency key and the fingerprint of the request.
            seconds: How long the caller waits.

        Raises:
            Refusal: The money was taken, perhaps at this very moment: what is left is a refund. Or another state that
                does not allow it.
        """
        order = await self._commands(
            Command.CANCEL, order_id, etag, request, lambda order, now: cancel(order, reason, now), seconds
        )
        if order.captured.minor_units and not order.given_up:
            raise illegal(Command.CANCEL, order)
        return order
