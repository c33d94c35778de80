"""Reading notifications."""

from collections.abc import Sequence

from kernel.errors import Reason, Refusal
from notify_svc.app.ports import Backlog, Notifications
from notify_svc.domain.notification import Notification


class ReadNotifications:
    """Reads one notification, or lists them page by page."""

    def __init__(self, notifications: Notifications) -> None:
        self._notifications = notifications

    async def get(self, notification_id: str) -> Notification:
        """Return the notification.

        Raises:
            Refusal: NOTIFICATION_NOT_FOUND.
        """
        notification = await self._notifications.get(notification_id)
        if notification is None:
            raise notification_not_found(notification_id)
        return notification

    async def page(self, order_id: str, before: str, size: int) -> tuple[Sequence[Notification], bool]:
        """Return up to `size` notifications, newest first, and whether more follow.

        Args:
            order_id: Of this order; empty means of all.
            before: Only those older than this notification id; empty begins with the newest.
            size: At least 1.
        """
        found = await self._notifications.page(order_id, before, size + 1)
        return found[:size], len(found) > size

    async def backlog(self) -> Backlog:
        """Return what waits to be sent."""
        return await self._notifications.backlog()


def notification_not_found(notification_id: str) -> Refusal:
    """Return the refusal for a notification that does not exist."""
    return Refusal(
        Reason.NOTIFICATION_NOT_FOUND,
        f"There is no notification {notification_id}.",
        metadata={"notificationId": notification_id},
    )
