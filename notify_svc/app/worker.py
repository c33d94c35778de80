"""The worker: sends whatever is due, for as long as the mail provider is up, and looks whether it is back when not."""

import asyncio
import logging

from kernel.bell import Bell
from kernel.clock import Clock
from kernel.errors import Refusal
from notify_svc.app.dispatch import Dispatch, Slots
from notify_svc.app.ports import Mailer, Notifications, Telling, Work
from notify_svc.domain import sending

_logger = logging.getLogger(__name__)

# Claimed at a time: few enough that fresh notifications still find a slot.
_CLAIM = 16

# How long it may take to see what another replica left behind. Our own work is known at once.
_POLL_SECONDS = 2.0

# What waits is counted so often; counting a long outage's backlog takes some milliseconds.
_TELL_SECONDS = 5.0

# While the database is away, and after a defect.
_PAUSE_SECONDS = 1.0


class Worker:
    """One per process; several processes share the work.

    Args:
        mailer: Sends mail.
        notifications: Where they are kept.
        slots: Bounds how many are sent at a time.
        dispatch: Sends one.
        work: Keeps attempts alive.
        bell: Says when to look.
        clock: The time.
        telling: Is told what waits.
    """

    def __init__(
        self,
        mailer: Mailer,
        notifications: Notifications,
        slots: Slots,
        dispatch: Dispatch,
        work: Work,
        bell: Bell,
        clock: Clock,
        telling: Telling,
    ) -> None:
        self._mailer = mailer
        self._notifications = notifications
        self._slots = slots
        self._dispatch = dispatch
        self._work = work
        self._bell = bell
        self._clock = clock
        self._telling = telling
        self._tell_at = clock.monotonic()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                wait = await self._turn()
            except Refusal as error:
                _logger.warning("mail.worker_waits", extra={"reason": error.reason.value})
                wait = _PAUSE_SECONDS
            except Exception:  # a defect in one turn must not end all mail
                _logger.exception("mail.worker_defect")
                wait = _PAUSE_SECONDS
            if wait > 0.0:
                await self._bell.wait(wait)

    async def _turn(self) -> float:
        """Do what can be done now, and return the seconds until there is more."""
        self._bell.hush()
        await self._tell()
        due = await self._notifications.next_due()
        if due is None or due > 0.0:
            return min(_POLL_SECONDS, due or _POLL_SECONDS)
        if not self._mailer.is_up:
            # Whoever rings meanwhile is heard afterwards: a thousand new mails in an outage are no reason to look.
            await self._clock.sleep(self._mailer.pause_seconds())
            await self._mailer.probe()
            return 0.0
        await self._slots.wait()
        if not self._mailer.is_up:  # what gave the slot back may have found that out
            return 0.0
        # Kept alive when the worker is stopped in the middle of it, so that no attempt is marked and not made.
        refusal = await asyncio.shield(self._work.start(self._claim(), "claim"))
        if refusal is not None:
            raise refusal
        return 0.0

    async def _claim(self) -> Refusal | None:
        """Begin what is due; a refusal is returned, because a task that ends in an error is told as a defect."""
        taken = self._slots.take(_CLAIM)
        used = 0
        try:
            for notification in await self._notifications.claim(taken):
                if sending.is_parked(notification):
                    self._telling.parked(notification)
                    continue
                self._work.start(self._dispatch.deliver(notification), "mail")
                used += 1
        except Refusal as refusal:
            return refusal
        else:
            return None
        finally:
            self._slots.give(taken - used)

    async def _tell(self) -> None:
        now = self._clock.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + _TELL_SECONDS
            self._telling.waiting(await self._notifications.backlog())
