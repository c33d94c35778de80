"""News: notifications that turned out not to reach their reader, told until somebody says that it was taken in."""

from collections.abc import Sequence
from datetime import datetime

from kernel.errors import Reason, Refusal
from notify_svc.app.ports import Notifications
from notify_svc.app.read import notification_not_found
from notify_svc.domain.notification import Notification

# How often to look again whether a commit of unknown outcome came through.
_TRIES = 4


class NotificationNews:
    """Tells news, and takes it back once it was heard.

    Args:
        store: Where it is kept.
    """

    def __init__(self, store: Notifications) -> None:
        self._store = store

    async def listed(self, most: int, after: tuple[datetime, str] | None = None) -> Sequence[Notification]:
        """Return notifications that are news, the longest unheard first, after the given (news_at, notification_id)."""
        return await self._store.news(most, after)

    async def acknowledge(self, notification_id: str, version: int) -> None:
        """Take a notification's news back, as of this version; what changed since then stays news.

        It needs no memory of its request: done again, it changes nothing, whatever happened in between.

        Raises:
            Refusal: There is no such notification, or it could not be kept now.
        """
        for _ in range(_TRIES):
            if await self._store.heard(notification_id, version):
                return
            notification = await self._store.get(notification_id)
            if notification is None:
                raise notification_not_found(notification_id)
            if notification.news_at is None or notification.version != version:
                return
        raise Refusal(
            Reason.UNAVAILABLE, "Whether the news was taken back is not known; repeat the request.", retry_after=1.0
        )
