"""Hears of payments that changed unasked, and has their orders go on from there.

Webhooks and payment_svc's own looks at Stripe end here: a customer who has finished 3-D Secure, money that arrives for
an order that was given up, a refund that the bank sent back. Every replica asks; the order's fence decides which of
them moves it. What is heard and not acknowledged is heard again, so nothing is lost whenever this process dies.
"""

import logging
from collections.abc import Callable

from kernel.clock import Clock
from kernel.errors import Refusal
from order_svc.app.changes import Changes
from order_svc.app.hearing import Hearing
from order_svc.app.ports import InDoubt, Moved, News, Orders, Payments
from order_svc.app.telling import Telling
from order_svc.domain.news import after_news
from order_svc.domain.order import Stage
from order_svc.domain.retry import Standing

_logger = logging.getLogger(__name__)

# How long it waits between two looks, at the most: until then a customer who has finished 3-D Secure looks at a
# spinner. An idle look is one call that reads an index, some thousandth of a core.
_INTERVAL_SECONDS = 2.0


class NewsWatcher:
    """Asks, takes in, acknowledges.

    Args:
        orders: Where orders are kept.
        payments: payment_svc.
        changes: Is told of every move.
        telling: Writes journal entries.
        clock: The time.
        random: Returns numbers from 0 to 1, to keep replicas from asking together.
        wake: Has the orders that were made due taken up.
    """

    def __init__(
        self,
        orders: Orders,
        payments: Payments,
        changes: Changes,
        telling: Telling,
        clock: Clock,
        random: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._orders = orders
        self._payments = payments
        self._changes = changes
        self._telling = telling
        self._clock = clock
        self._random = random
        self._wake = wake
        self._hearing = Hearing(payments.news, self._taken_in, self._acknowledge, orders, telling, _logger, "news")

    async def run(self) -> None:
        """Look for ever; whoever is away is waited for, and no defect ends it."""
        away = False
        while True:
            try:
                heard = await self.look()
            except (Refusal, InDoubt):
                heard = False
            except Exception:
                _logger.exception("news.defect")
                heard = True
            if not heard and not away:
                _logger.warning("news.paused", extra={"until": "payment_svc and the database are back"})
            away = not heard
            await self._clock.sleep(_INTERVAL_SECONDS * (0.5 + 0.5 * self._random()))

    async def look(self) -> bool:
        """Take in what is new, and say whether payment_svc could be asked.

        Raises:
            Refusal: The database is away.
            InDoubt: A commit may have happened; the next look tells.
        """
        return await self._hearing.look()

    async def _acknowledge(self, news: News) -> None:
        await self._payments.acknowledge(news.payment)

    async def _taken_in(self, news: News, standing: Standing | None) -> bool:
        """Move the order where there is something new in it; False when it has to be heard again."""
        if standing is None:
            ids = {"order_id": news.order_id, "payment_id": news.payment.payment_id}
            _logger.warning("news.unknown_order", extra=ids)
            return True
        known = standing.order.payment
        if standing.held and (known is None or known.version < news.payment.version):
            return False  # Whoever holds it is about to move it, and may have read the payment before it changed.
        if standing.order.stage is Stage.REFUNDING:
            # The refund that is asked for may be refused, with no word of the payment: this is heard again afterwards.
            return False
        transition = after_news(standing.order, news.payment, self._clock.now())
        if transition is None:
            return True
        with self._telling.heard(standing.order):
            event = self._telling.event(transition, "webhook") if transition.kind else None
            try:
                await self._orders.move(transition, event, 0.0)
            except Moved:
                return False
        if event is not None:
            self._changes.publish(transition.order)
        if transition.wake_at is not None or transition.tasks:
            self._wake()
        return True
