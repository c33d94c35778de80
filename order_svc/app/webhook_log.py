"""The delivery log: what was sent where, what became of it, and sending it again."""

from collections.abc import Callable, Sequence

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.request import Request
from order_svc.app.ports import InDoubt
from order_svc.app.webhook_endpoints import busy, same_request
from order_svc.app.webhook_ports import DeliveryFilter, DeliveryLog, HookCommand, KeyTaken
from order_svc.domain.webhook_delivery import Delivery, replayed

# How often it is decided anew when somebody else was quicker, or when a commit is in doubt.
_TRIES = 4


class ReadDeliveryLog:
    """The use cases.

    Args:
        log: Where deliveries are kept.
        clock: The time.
        wake: Has what was made due sent.
    """

    def __init__(self, log: DeliveryLog, clock: Clock, wake: Callable[[], None]) -> None:
        self._log = log
        self._clock = clock
        self._wake = wake

    async def page(self, wanted: DeliveryFilter, after: str, limit: int) -> Sequence[Delivery]:
        """Return at most `limit` deliveries, newest first, below the delivery id `after`."""
        return await self._log.page(wanted, after, limit)

    async def replay(self, delivery_id: str, request: Request) -> Delivery:
        """Have a message sent again under its own id, and return its delivery, PENDING.

        Raises:
            Refusal: There is no such delivery; the key stood for another request; or it cannot be stored just now.
        """
        for _ in range(_TRIES):
            used = await self._log.used(request, HookCommand.REPLAY)
            delivery = await self._log.delivery(delivery_id)
            if delivery is None:
                raise delivery_not_found(delivery_id)
            if used is not None:
                same_request(used, request)
                return delivery
            try:
                again = await self._log.send_again(replayed(delivery, self._clock.now()), request)
            except (KeyTaken, InDoubt):
                continue  # Looking for the key tells.
            if again is not None:
                self._wake()
                return again
        raise busy()


def delivery_not_found(delivery_id: str) -> Refusal:
    """Return the refusal for a delivery that does not exist."""
    return Refusal(
        Reason.WEBHOOK_DELIVERY_NOT_FOUND,
        f"There is no webhook delivery {delivery_id}; check the id.",
        metadata={"deliveryId": delivery_id},
    )
