"""A mailer whose mails end in a list, and that fails when it is told to."""

import asyncio
from collections import deque

from kernel.outcome import Done, NotDone, Unknown
from notify_svc.app.ports import Postponed, Refused
from notify_svc.domain.notification import Notification

Outcome = Done[str] | NotDone[Refused | Postponed] | Unknown


class FakeMailer:
    """Takes every mail, unless an outcome was ordered for it.

    Attributes:
        mails: What the world received, by notification id; a lost answer may have been a mail.
        outcomes: What the next calls end in, in turn.
        lost_are_sent: Whether a mail goes out whose answer is lost.
        away: While it is set every call's answer is lost and nothing goes out, and probes fail.
        probes: How often it was asked whether it is back.
        tried: Is set with each call of send.
        gate: Calls wait until it is open.
    """

    pause = 0.5

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.outcomes: deque[Outcome] = deque()
        self.lost_are_sent = False
        self.away = False
        self.probes = 0
        self.under_way = 0
        self.most_under_way = 0
        self.tried = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self._up = True

    @property
    def is_up(self) -> bool:
        return self._up

    def pause_seconds(self) -> float:
        return 0.0 if self._up else self.pause

    async def probe(self) -> None:
        self.probes += 1
        self._up = not self.away

    async def send(self, notification: Notification) -> Outcome:
        if not self._up:
            return NotDone(Postponed("away a moment ago"))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.tried.set()
        try:
            await self.gate.wait()
            return self._outcome(notification)
        finally:
            self.under_way -= 1

    def _outcome(self, notification: Notification) -> Outcome:
        if self.away:
            self._up = False
            return Unknown("the connection broke")
        outcome = self.outcomes.popleft() if self.outcomes else Done(f"message-{len(self.mails)}")
        if isinstance(outcome, Done) or (isinstance(outcome, Unknown) and self.lost_are_sent):
            self.mails.append(notification.notification_id)
        return outcome
