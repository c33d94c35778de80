"""A list of mails in memory."""

from kernel.outcome import Done, NotDone, Unknown
from notify_svc.app.ports import FeedDenied
from notify_svc.domain.feed import FeedPage, FeedPlace, ListedMail


class FakeFeed:
    """Shows the mails that it is given.

    Attributes:
        mails: In any order.
        trouble: What it answers instead, while it is set.
    """

    def __init__(self) -> None:
        self.mails: list[ListedMail] = []
        self.trouble: NotDone[FeedDenied] | Unknown | None = None

    async def page(self, after: FeedPlace | None, limit: int) -> Done[FeedPage] | NotDone[FeedDenied] | Unknown:
        if self.trouble is not None:
            return self.trouble
        ordered = sorted(self.mails, key=lambda mail: (-mail.last_event_at.timestamp(), mail.list_id))
        rest = [mail for mail in ordered if after is None or after.precedes(mail)]
        return Done(FeedPage(tuple(rest[:limit]), len(rest) > limit))
