"""What the shop's other systems are told of an order's move, as rows for the commit of that move."""

from collections.abc import Callable

from chassis.storage.changes import Insert
from order_svc.adapters import webhook_rows
from order_svc.adapters.webhook_tables import WEBHOOK_MESSAGES
from order_svc.app.webhook_ports import Audience
from order_svc.domain.order import Event, Order
from order_svc.domain.webhook import messages_of

Announce = Callable[[Order, Event], tuple[Insert, ...]]
"""Returns what is told of a journal entry, given the order as it is afterwards; to be written in the entry's commit."""


class Announcer:
    """Tells whoever listens.

    Args:
        audience: Whether anybody does.
    """

    def __init__(self, audience: Audience) -> None:
        self._audience = audience

    def __call__(self, order: Order, event: Event) -> tuple[Insert, ...]:
        """Return the messages about a journal entry; none while nobody listens, and none about most entries."""
        if not self._audience.listens:
            return ()
        return tuple(Insert(WEBHOOK_MESSAGES, webhook_rows.message_row(each)) for each in messages_of(order, event))


def announce_nothing(_order: Order, _event: Event) -> tuple[Insert, ...]:
    """Tell nobody anything."""
    return ()
