"""Going on with a payment that waits for its customer: after 3-D Secure, or with another payment method."""

from kernel.request import Request
from order_svc.app.command import Commands
from order_svc.app.place import answer
from order_svc.domain.commands import Command, confirm
from order_svc.domain.order import Order
from order_svc.domain.velocity import Velocity


class ConfirmOrderPayment:
    """The use case."""

    def __init__(self, commands: Commands, velocity: Velocity) -> None:
        self._commands = commands
        self._velocity = velocity

    async def __call__(self, order_id: str, payment_method: str, etag: str, request: Request, seconds: float) -> Order:
        """Return the order: PAID, or still waiting for its customer.

        Args:
            order_id: The order.
            payment_method: Another one after a decline; empty after 3-D Secure.
            etag: The version that the caller has decided on; empty for any.
            request: The idempotency key and the fingerprint of the request.
            seconds: How long the caller waits.

        Raises:
            Refusal: The state does not allow it; the customer has had too many cards declined; or the order has
                failed, for the reason given.
        """
        return answer(
            await self._commands(
                Command.CONFIRM,
                order_id,
                etag,
                request,
                lambda order, now: confirm(order, payment_method, now),
                seconds,
                # Coming back from 3-D Secure is no further card.
                lambda order: self._velocity.of_card(order) if payment_method else (),
            )
        )
