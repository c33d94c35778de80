"""News: payments that changed without their order's asking, told until their order says that it took them in."""

from datetime import datetime
from typing import Protocol

from payment_svc.app.refusals import payment_not_found, unavailable
from payment_svc.domain.payment import Payment

# How often to look again whether a commit of unknown outcome came through.
_TRIES = 4


class NewsStore(Protocol):
    """Where news is kept: with the payments, in the commit that changes them. It fails as PaymentStore does."""

    async def get(self, payment_id: str) -> Payment | None:
        """Return a payment by its id."""
        ...

    async def news(self, most: int, after: tuple[datetime, str] | None = None) -> list[Payment]:
        """Return payments that are news, the longest unheard first, that come after the given (news_at, payment_id)."""
        ...

    async def heard(self, payment_id: str, version: int) -> bool:
        """Keep that a payment is news no more, unless it has changed since this version."""
        ...


class PaymentNews:
    """Tells news, and takes it back once it was heard.

    Args:
        store: Where it is kept.
    """

    def __init__(self, store: NewsStore) -> None:
        self._store = store

    async def listed(self, most: int, after: tuple[datetime, str] | None = None) -> list[Payment]:
        """Return payments that are news, the longest unheard first, that come after the given (news_at, payment_id)."""
        return await self._store.news(most, after)

    async def acknowledge(self, payment_id: str, version: int) -> None:
        """Take a payment's news back, as of this version; what changed since then stays news.

        It needs no memory of its request: done again, it changes nothing, whatever happened in between.

        Raises:
            Refusal: There is no such payment, or it could not be kept now.
        """
        for _ in range(_TRIES):
            if await self._store.heard(payment_id, version):
                return
            payment = await self._store.get(payment_id)
            if payment is None:
                raise payment_not_found(payment_id)
            if payment.news_at is None or payment.version != version:
                return
        raise unavailable("Whether the news was taken back is not known; try again.")
