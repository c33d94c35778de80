"""Mails as SendGrid lists them, and a place in that list."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ListedMail:
    """A mail as SendGrid lists it; who got it, and what stood in it, stays there.

    Attributes:
        list_id: SendGrid's id of this copy of the mail.
        message_id: What SendGrid told when it took the mail.
        status: Its word for where the mail stands: "delivered", "processed", "not_delivered".
        last_event_at: When something last happened to it.
    """

    list_id: str
    message_id: str
    status: str
    last_event_at: datetime


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """A place in the list, which runs from the newest to the oldest and, within one moment, by id.

    Attributes:
        at: The last event of the mail before it.
        list_id: The id of that mail; empty stands before all mails of that moment.
    """

    at: datetime
    list_id: str = ""

    def precedes(self, mail: ListedMail) -> bool:
        """Say whether the mail comes after this place."""
        return mail.last_event_at < self.at or (mail.last_event_at == self.at and mail.list_id > self.list_id)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some of the mails.

    Attributes:
        mails: Newest first.
        has_more: Whether older ones follow.
    """

    mails: tuple[ListedMail, ...]
    has_more: bool

    def end(self) -> FeedPlace:
        """Return the place after the last of its mails."""
        last = self.mails[-1]
        return FeedPlace(last.last_event_at, last.list_id)
