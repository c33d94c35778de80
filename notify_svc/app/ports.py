"""The outside world in the notify service's own nouns. Adapters implement these; tests do so with fakes."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from notify_svc.domain.content import Letter
from notify_svc.domain.event import DeliveryEvent
from notify_svc.domain.feed import FeedPage, FeedPlace
from notify_svc.domain.notification import Notification

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refused:
    """The mail will never be taken.

    Attributes:
        why: In words without personal data.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """The mail was certainly not taken, and may be later.

    Attributes:
        why: In words without personal data.
        retry_after: Seconds that the other side asked to wait, when it did.
    """

    why: str
    retry_after: float | None = None


class Writer(Protocol):
    """Who writes mails. It has a word for everything, and so nothing makes it fail."""

    def locale(self, tag: str) -> str:
        """Return the locale that is written for when this one is asked for; the shop's own for "" and unknown."""
        ...

    def write(self, notification: Notification) -> Letter:
        """Return the mail."""
        ...


class Mailer(Protocol):
    """Who sends mail."""

    @property
    def is_up(self) -> bool:
        """Whether the last that was heard of the mail provider was good."""
        ...

    def pause_seconds(self) -> float:
        """Return how long to leave it alone while it is not up; 0.0 when it may be asked."""
        ...

    async def probe(self) -> None:
        """Ask whether it is back, without sending anything; `is_up` says what came of it."""
        ...

    async def send(self, notification: Notification) -> Done[str] | NotDone[Refused | Postponed] | Unknown:
        """Send the mail and return the provider's id of it."""
        ...


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be sent.

    Attributes:
        depth: How many notifications.
        oldest_seconds: How long the oldest has waited; 0.0 when there is none.
    """

    depth: int
    oldest_seconds: float


class Notifications(Protocol):
    """Where notifications are kept. Every write is durable when it returns.

    All methods raise Refusal(UNAVAILABLE) while the database is away.
    """

    async def add(self, request: Request, notification: Notification) -> bool:
        """Store a notification and the key it was asked for with; False when the key was used before."""
        ...

    async def find(self, request: Request) -> tuple[str, Notification] | None:
        """Return the fingerprint and the notification of an earlier use of the key."""
        ...

    async def get(self, notification_id: str) -> Notification | None:
        """Return the notification."""
        ...

    async def page(self, order_id: str, before: str, limit: int) -> Sequence[Notification]:
        """Return notifications, newest first.

        Args:
            order_id: Of this order; empty means of all.
            before: Only those older than this notification id; empty begins with the newest.
            limit: At most so many.
        """
        ...

    async def events(self, notification_id: str) -> Sequence[DeliveryEvent]:
        """Return what the mail provider has told of a notification's mail, oldest first."""
        ...

    async def update(self, before: Notification, after: Notification) -> bool:
        """Replace the notification; False, and nothing is written, when it is no longer at `before`'s version."""
        ...

    async def claim(self, limit: int) -> Sequence[Notification]:
        """Begin an attempt on notifications that are due, and return them; no other replica gets the same ones.

        Those that had as many attempts of unknown outcome as there may be are parked and returned as such.
        """
        ...

    async def next_due(self) -> float | None:
        """Return the seconds until the next is due; not above 0.0 when one is, None when none waits."""
        ...

    async def backlog(self) -> Backlog:
        """Return what waits, at a cost that grows with it."""
        ...

    async def ingest(self, events: Sequence[DeliveryEvent]) -> int:
        """Store events and apply the new ones to their notifications, in one change; return how many were new."""
        ...

    async def news(self, limit: int, after: tuple[datetime, str] | None = None) -> Sequence[Notification]:
        """Return notifications that are news, the longest unheard first, after the given (news_at, notification_id)."""
        ...

    async def heard(self, notification_id: str, version: int) -> bool:
        """Keep that a notification is news no more; False when it has changed since, or that is not known."""
        ...


class EventDesk(Protocol):
    """Who opens the provider's event batches."""

    def open(self, payload: bytes, signature: str, timestamp: str) -> Sequence[DeliveryEvent]:
        """Return the events of a batch.

        Raises:
            Refusal: SIGNATURE_INVALID, or VALIDATION_FAILED for a signed batch that is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class FeedDenied:
    """The provider's list cannot be had, now or later.

    Attributes:
        why: In words for a person.
        provider: Whose list.
    """

    why: str
    provider: str = "sendgrid"


class Feed(Protocol):
    """The provider's own list of the mails that it took."""

    async def page(self, after: FeedPlace | None, limit: int) -> Done[FeedPage] | NotDone[FeedDenied] | Unknown:
        """Return at most `limit` mails that come after a place; None begins with the newest."""
        ...


class Work(Protocol):
    """Keeps work alive that goes on when the call that began it is over, and waits for it when the service stops."""

    def start(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """Begin the work."""
        ...


class Told(Protocol):
    """An attempt while it is under way."""

    def outcome(self, outcome: Done[str] | NotDone[Refused | Postponed] | Unknown) -> None:
        """Note how it ended."""
        ...


class Telling(Protocol):
    """What the service tells about itself."""

    def attempt(self, notification: Notification) -> AbstractContextManager[Told]:
        """Surround one attempt: a trace of its own, linked to the one in which the notification was asked for."""
        ...

    def parked(self, notification: Notification) -> None:
        """Raise an alert: this one is not sent any more, and nobody knows whether it arrived."""
        ...

    def waiting(self, backlog: Backlog) -> None:
        """Note what waits."""
        ...
