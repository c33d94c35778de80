"""Taking an order up again because a person says so."""

from collections.abc import Callable

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.request import Request
from order_svc.app.changes import Changes
from order_svc.app.command import asked_by
from order_svc.app.place import same_order
from order_svc.app.ports import InDoubt, Moved, Orders
from order_svc.app.read import order_not_found
from order_svc.app.telling import Telling
from order_svc.domain.commands import Command
from order_svc.domain.order import Order
from order_svc.domain.retry import after_retry

# How often it is decided anew when somebody else moved the order in between.
_TRIES = 4


class RetryOrder:
    """The use case: what was parked or waits for its next try is due now. Nothing is done twice by it.

    Args:
        orders: Where orders are kept.
        changes: Is told of every move.
        telling: Writes journal entries.
        clock: The time.
        wake: Has what was made due taken up.
    """

    def __init__(
        self, orders: Orders, changes: Changes, telling: Telling, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._orders = orders
        self._changes = changes
        self._telling = telling
        self._clock = clock
        self._wake = wake

    async def __call__(self, order_id: str, request: Request) -> Order:
        """Return the order, no longer parked; what is left to do goes on beside the answer.

        Raises:
            Refusal: There is no such order; the key stood for another request; or it cannot be stored just now.
        """
        for _ in range(_TRIES):
            found = await self._orders.find(request, Command.RETRY)
            if found is not None:
                return same_order(*found, request)
            standing = (await self._orders.standings([order_id])).get(order_id)
            if standing is None:
                raise order_not_found(order_id)
            taken_up = after_retry(standing, self._clock.now())
            if taken_up is None:
                return standing.order
            transition, tasks = taken_up
            event = asked_by(self._telling.event(transition, "request"), request)
            try:
                if await self._orders.obey(Command.RETRY, request, transition, event, tasks=tasks):
                    self._changes.publish(transition.order)
                    self._wake()
                    return transition.order
            except (Moved, InDoubt):
                pass  # Looking again tells.
        raise Refusal(
            Reason.UNAVAILABLE,
            "The order is being moved by others just now; repeat the request with the same key.",
            retry_after=1.0,
        )
