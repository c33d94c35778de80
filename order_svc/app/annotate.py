"""Keeping a note with an order."""

from kernel.request import Request
from order_svc.app.command import Commands
from order_svc.domain.commands import Command, annotate
from order_svc.domain.order import Order


class AnnotateOrder:
    """The use case."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def __call__(self, order_id: str, note: str, etag: str, request: Request) -> Order:
        """Return the order with its new note.

        Raises:
            Refusal: There is no such order, or it has changed since.
        """
        return await self._commands(
            Command.ANNOTATE, order_id, etag, request, lambda order, now: annotate(order, note, now)
        )
