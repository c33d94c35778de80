"""Hearing of news that another service keeps until it is acknowledged: page by page, so that none hides another."""

from collections.abc import Awaitable, Callable, Sequence
from logging import Logger
from typing import Generic, Protocol, TypeVar

from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import InDoubt, Orders, Page
from order_svc.app.telling import Telling
from order_svc.domain.retry import Standing

# How many pages of news, a hundred on each, are read in one look. A rest is there only where many wait for something
# else: for a customer, or for Stripe. The next look goes on from there.
MOST_PAGES = 5


class OfAnOrder(Protocol):
    """A piece of news."""

    @property
    def order_id(self) -> str:
        """Return the order that it is about."""
        ...


N = TypeVar("N", bound=OfAnOrder)


class Hearing(Generic[N]):
    """Asks, has the news taken in, acknowledges it.

    Args:
        ask: Asks for the page that comes after a place; the first after "".
        take_in: Has the order show the news; False when it has to be heard again.
        acknowledge: Says that it was taken in. One that is lost costs nothing: the news is heard again, and has nothing
            new in it then.
        orders: Where orders are kept.
        telling: Surrounds the calls.
        logger: Whose log it is.
        name: What is logged of it begins so: "news", for "news.defect".
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[Done[Page[N]] | NotDone[Refusal] | Unknown]],
        take_in: Callable[[N, Standing | None], Awaitable[bool]],
        acknowledge: Callable[[N], Awaitable[object]],
        orders: Orders,
        telling: Telling,
        logger: Logger,
        name: str,
    ) -> None:
        self._ask = ask
        self._take_in = take_in
        self._acknowledge = acknowledge
        self._orders = orders
        self._telling = telling
        self._logger = logger
        self._name = name
        self._after = ""

    async def look(self) -> bool:
        """Have what is new taken in, and say whether the other service could be asked.

        Raises:
            Refusal: The database is away.
            InDoubt: A commit may have happened; the next look tells.
        """
        for _ in range(MOST_PAGES):
            with self._telling.listening():
                heard = await self._ask(self._after)
            # Whatever becomes of this page: one that cannot be taken in must not hide the next.
            self._after = _place_after(heard, self._after)
            if not isinstance(heard, Done):
                return False
            await self._hear_all(heard.value.items)
            if not self._after:
                break
        return True

    async def _hear_all(self, heard: Sequence[N]) -> None:
        if not heard:
            return
        # Read after the news: what an order knows already is then not taken for news again.
        standings = await self._orders.standings({news.order_id for news in heard})
        for news in heard:
            try:
                await self._hear(news, standings.get(news.order_id))
            except (Refusal, InDoubt):
                raise
            except Exception:
                # A defect with one order must not keep the others from being heard of.
                self._logger.exception("%s.defect", self._name, extra={"order_id": news.order_id})

    async def _hear(self, news: N, standing: Standing | None) -> None:
        if await self._take_in(news, standing):
            with self._telling.listening():
                await self._acknowledge(news)


def _place_after(heard: Done[Page[N]] | NotDone[Refusal] | Unknown, place: str) -> str:
    """Return where to read on: where it was after an outage, and from the beginning where the place is refused."""
    if isinstance(heard, Done):
        return heard.value.after
    refused = isinstance(heard, NotDone) and heard.reason.reason is Reason.VALIDATION_FAILED
    return "" if refused else place
