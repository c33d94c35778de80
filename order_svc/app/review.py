"""Noting that a person has looked at an order."""

from kernel.request import Request
from order_svc.app.command import Commands
from order_svc.domain.commands import Command, mark_reviewed
from order_svc.domain.order import Order


class MarkReviewed:
    """The use case."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def __call__(self, order_id: str, finding: str, etag: str, request: Request) -> Order:
        """Return the order, which needs no review any more.

        Raises:
            Refusal: There is no such order, it has changed since, or it stopped in the middle of its work.
        """
        return await self._commands(
            Command.REVIEW, order_id, etag, request, lambda order, now: mark_reviewed(order, finding, now)
        )
