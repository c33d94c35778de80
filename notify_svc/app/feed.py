"""Listing what the mail provider took for us."""

from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.app.ports import Feed, FeedDenied
from notify_svc.domain.feed import FeedPage, FeedPlace

# For a caller who is not told how long to wait; SendGrid counts requests by the minute.
_RETRY_SECONDS = 5.0


class ListFeed:
    """Lists mails page by page, read from the mail provider and not from our own store."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def __call__(self, after: FeedPlace | None, limit: int) -> FeedPage:
        """Return at most `limit` mails, newest first, that come after a place.

        Raises:
            Refusal: PROVIDER_REFUSED when the account has no such list; UNAVAILABLE while it cannot be read.
        """
        match await self._feed.page(after, limit):
            case Done(page):
                return page
            case NotDone(FeedDenied(why, provider)):
                raise Refusal(Reason.PROVIDER_REFUSED, f"{why}.", metadata={"provider": provider})
            case Unknown(cause, retry_after):
                raise Refusal(
                    Reason.UNAVAILABLE,
                    f"SendGrid's activity feed could not be read ({cause}); repeat the request.",
                    metadata={"provider": "sendgrid"},
                    retry_after=retry_after or _RETRY_SECONDS,
                )
