"""Hears of mails that did not reach their readers, and has their orders show it.

As app/news.py does for payments: what is heard and not acknowledged is heard again, so nothing is lost whenever this
process dies.
"""

import logging
from collections.abc import Callable

from kernel.clock import Clock
from kernel.errors import Refusal
from order_svc.app.changes import Changes
from order_svc.app.hearing import Hearing
from order_svc.app.ports import InDoubt, MailNews, Mails, Moved, Orders
from order_svc.app.telling import Telling
from order_svc.domain.mail_news import after_bounce, may_hear
from order_svc.domain.retry import Standing

_logger = logging.getLogger(__name__)

# How long it waits between two looks, at the most: nobody waits for a bounce, which takes minutes to days to come.
_INTERVAL_SECONDS = 10.0


class MailNewsWatcher:
    """Asks, takes in, acknowledges.

    Args:
        orders: Where orders are kept.
        mails: notify_svc.
        changes: Is told of every move.
        telling: Writes journal entries.
        clock: The time.
        random: Returns numbers from 0 to 1, to keep replicas from asking together.
    """

    def __init__(
        self,
        orders: Orders,
        mails: Mails,
        changes: Changes,
        telling: Telling,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._orders = orders
        self._changes = changes
        self._telling = telling
        self._clock = clock
        self._random = random
        self._hearing = Hearing(mails.news, self._taken_in, mails.acknowledge, orders, telling, _logger, "mail_news")

    async def run(self) -> None:
        """Look for ever; whoever is away is waited for, and no defect ends it."""
        while True:
            try:
                await self.look()
            except (Refusal, InDoubt):
                pass  # The database is away; the sweeper says so.
            except Exception:
                _logger.exception("mail_news.defect")
            await self._clock.sleep(_INTERVAL_SECONDS * (0.5 + 0.5 * self._random()))

    async def look(self) -> None:
        """Take in what is new, as far as notify_svc can be asked.

        Raises:
            Refusal: The database is away.
            InDoubt: A commit may have happened; the next look tells.
        """
        await self._hearing.look()

    async def _taken_in(self, news: MailNews, standing: Standing | None) -> bool:
        """Have the order show it; False when it has to be heard again."""
        if standing is None:
            ids = {"order_id": news.order_id, "notification_id": news.notification_id}
            _logger.warning("mail_news.unknown_order", extra=ids)
            return True
        if not may_hear(standing.order):
            return False
        transition = after_bounce(
            standing.order, news.notification_id, news.kind, news.state, news.cause, self._clock.now()
        )
        if transition is None:
            return True
        with self._telling.heard(standing.order):
            try:
                await self._orders.move(transition, self._telling.event(transition, "webhook"), 0.0)
            except Moved:
                return False
        self._changes.publish(transition.order)
        return True
