"""Hears of payments that changed unasked, and has their orders go on from there.

Webhooks and payment_svc's own looks at Stripe end here: a customer who has finished 3-D Secure, money that arrives for
an order that was given up, a refund that the bank sent back. Every replica asks; the order's fence decides which of
them moves it. What is heard and not acknowledged is heard again, so nothing is lost whenever this process dies.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.changes import Changes
from order_svc.app.ports import InDoubt, Moved, News, Orders, Page, Payments
from order_svc.app.telling import Telling
from order_svc.domain.news import after_news
from order_svc.domain.order import Stage
from order_svc.domain.retry import Standing

T = TypeVar("T")

_logger = logging.getLogger(__name__)

# How long it waits between two looks, at the most: until then a customer who has finished 3-D Secure looks at a
# spinner. An idle look is one call that reads an index, some thousandth of a core.
_INTERVAL_SECONDS = 2.0

# How many pages of news, a hundred on each, are read in one look. A rest is there only where many wait for something
# else: for a customer, or for Stripe. The next look goes on from there, so that no news hides another.
MOST_PAGES = 5


def place_after(heard: Done[Page[T]] | NotDone[Refusal] | Unknown, place: str) -> str:
    """Return where to read on, whatever becomes of the page: one that cannot be taken in must not hide the next.

    Args:
        heard: What became of asking for a page.
        place: Where that was.
    """
    if isinstance(heard, Done):
        return heard.value.after
    refused = isinstance(heard, NotDone) and heard.reason.reason is Reason.VALIDATION_FAILED
    return "" if refused else place


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
        self._after = ""

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
        for _ in range(MOST_PAGES):
            with self._telling.listening():
                heard = await self._payments.news(self._after)
            self._after = place_after(heard, self._after)
            if not isinstance(heard, Done):
                return False
            await self._take_in_all(heard.value.items)
            if not self._after:
                break
        return True

    async def _take_in_all(self, heard: Sequence[News]) -> None:
        if not heard:
            return
        # Read after the news: what an order knows already is then not taken for news again.
        standings = await self._orders.standings({news.order_id for news in heard})
        for news in heard:
            await self._take_in(news, standings.get(news.order_id))

    async def _take_in(self, news: News, standing: Standing | None) -> None:
        """Acknowledge the news once it was taken in.

        An acknowledgement that is lost costs nothing: the news is heard again, and has nothing new in it then.
        """
        try:
            if await self._taken_in(news, standing):
                with self._telling.listening():
                    await self._payments.acknowledge(news.payment)
        except (Refusal, InDoubt):
            raise
        except Exception:
            # A defect with one order must not keep the others from being heard of.
            _logger.exception("news.defect", extra={"order_id": news.order_id})

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
