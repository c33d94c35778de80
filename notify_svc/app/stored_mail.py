"""Looking at a mail as it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from notify_svc.app.ports import Notifications, Writer
from notify_svc.app.read import notification_not_found
from notify_svc.domain.content import Letter
from notify_svc.domain.event import DeliveryEvent
from notify_svc.domain.notification import Notification


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A notification's mail.

    Attributes:
        notification: As it stands.
        letter: What it says.
        events: What the mail provider has told of it, oldest first.
    """

    notification: Notification
    letter: Letter
    events: Sequence[DeliveryEvent]


class ReadMail:
    """The use case.

    Args:
        notifications: Where they are kept.
        writer: Writes it, as it does when it is sent.
    """

    def __init__(self, notifications: Notifications, writer: Writer) -> None:
        self._notifications = notifications
        self._writer = writer

    async def __call__(self, notification_id: str) -> StoredMail:
        """Return the mail, and what became of it.

        Raises:
            Refusal: NOTIFICATION_NOT_FOUND.
        """
        notification = await self._notifications.get(notification_id)
        if notification is None:
            raise notification_not_found(notification_id)
        events = await self._notifications.events(notification_id)
        return StoredMail(notification, self._writer.write(notification), events)
