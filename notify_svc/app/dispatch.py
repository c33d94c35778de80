"""Sending one notification whose attempt is marked already, and storing what became of it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from kernel.bell import Bell
from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.app.ports import Mailer, Notifications, Postponed, Refused, Telling
from notify_svc.domain import sending
from notify_svc.domain.notification import Notification

_logger = logging.getLogger(__name__)

# While the database is away an outcome is kept in memory for as long as an attempt may last; after that the attempt
# counts as one of unknown outcome anyway.
_STORE_SECONDS = sending.LEASE.total_seconds()
_STORE_PAUSE_SECONDS = 0.5


class Slots:
    """How many attempts may be under way at a time."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._freed = asyncio.Event()

    def take(self, most: int = 1) -> int:
        """Take as many as are free, at most `most`."""
        taken = min(self._free, most)
        self._free -= taken
        return taken

    def give(self, count: int = 1) -> None:
        """Give some back."""
        self._free += count
        self._freed.set()

    async def wait(self) -> None:
        """Wait until at least one is free."""
        while not self._free:
            self._freed.clear()
            await self._freed.wait()


class Dispatch:
    """Sends, one notification at a time and many side by side.

    Args:
        mailer: Sends mail.
        notifications: Where what becomes of it is kept.
        slots: Bounds how many are sent at a time.
        bell: Rung when something is to be sent again.
        clock: The time.
        random: Returns numbers from 0 to 1, to spread retries.
        telling: Is told of each attempt.
    """

    def __init__(
        self,
        mailer: Mailer,
        notifications: Notifications,
        slots: Slots,
        bell: Bell,
        clock: Clock,
        random: Callable[[], float],
        telling: Telling,
    ) -> None:
        self._mailer = mailer
        self._notifications = notifications
        self._slots = slots
        self._bell = bell
        self._clock = clock
        self._random = random
        self._telling = telling

    def reserve(self) -> bool:
        """Take a slot for an attempt that is about to be marked; False when the mail has to wait its turn."""
        return self._mailer.is_up and self._slots.take() == 1

    def release(self) -> None:
        """Give a slot back that was not used."""
        self._slots.give()

    async def deliver(self, notification: Notification) -> None:
        """Send a notification whose attempt is marked and has a slot, and store what became of it."""
        try:
            with self._telling.attempt(notification) as told:
                outcome = await self._mailer.send(notification)
                told.outcome(outcome)
            await self._store(notification, outcome)
        finally:
            self._slots.give()

    async def _store(
        self, notification: Notification, outcome: Done[str] | NotDone[Refused | Postponed] | Unknown
    ) -> None:
        give_up = self._clock.monotonic() + _STORE_SECONDS
        current: Notification | None = notification
        while current is not None:
            try:
                after = self._after(current, outcome)
                if await self._notifications.update(current, after):
                    self._told(after)
                    return
                # An event, or another replica that took this one for dead, was faster: the outcome stays a fact.
                current = await self._notifications.get(notification.notification_id)
            except Refusal:
                if self._clock.monotonic() > give_up:
                    _logger.error("mail.outcome_lost", extra={"notification_id": notification.notification_id})  # noqa: TRY400  (the reason is told where it arose)
                    return
                await self._clock.sleep(_STORE_PAUSE_SECONDS)

    def _told(self, notification: Notification) -> None:
        if sending.is_parked(notification):
            self._telling.parked(notification)
        elif notification.due_at is not None:
            self._bell.ring()

    def _after(
        self, notification: Notification, outcome: Done[str] | NotDone[Refused | Postponed] | Unknown
    ) -> Notification:
        now = self._clock.now()
        match outcome:
            case Done(message_id):
                return sending.sent(notification, message_id, now)
            case NotDone(reason):
                if isinstance(reason, Refused):
                    return sending.refused(notification, reason.why, now)
                wait = max(sending.wait_seconds(notification.attempts, self._random()), reason.retry_after or 0.0)
                return sending.postponed(notification, reason.why, now + timedelta(seconds=wait))
            case Unknown(cause):
                return sending.lost(notification, f"The answer was lost: {cause}", now)
