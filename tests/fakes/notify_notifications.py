"""Notifications in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.request import Request
from notify_svc.app.ports import Backlog
from notify_svc.domain import sending
from notify_svc.domain.event import DeliveryEvent
from notify_svc.domain.notification import Notification


class FakeNotifications:
    """Keeps notifications for as long as the test runs.

    Attributes:
        rows: By notification id.
        away: While it is set every call is refused.
        commits: How many changes were written.
        looks: How often it was asked what is due.
        changed: Is set with each of them.
    """

    def __init__(self, clock: Clock) -> None:
        self.rows: dict[str, Notification] = {}
        self.away = False
        self.commits = 0
        self.looks = 0
        self.changed = asyncio.Event()
        self._clock = clock
        self._keys: dict[tuple[str, str], tuple[str, str]] = {}
        self._events: set[str] = set()
        self._told: list[DeliveryEvent] = []

    async def add(self, request: Request, notification: Notification) -> bool:
        self._check()
        key = (request.caller, request.request_id)
        if key in self._keys:
            return False
        self._keys[key] = (request.fingerprint, notification.notification_id)
        self._write(notification)
        return True

    async def find(self, request: Request) -> tuple[str, Notification] | None:
        self._check()
        used = self._keys.get((request.caller, request.request_id))
        return None if used is None else (used[0], self.rows[used[1]])

    async def get(self, notification_id: str) -> Notification | None:
        self._check()
        return self.rows.get(notification_id)

    async def page(self, order_id: str, before: str, limit: int) -> Sequence[Notification]:
        self._check()
        newest = sorted(self.rows.values(), key=lambda row: row.notification_id, reverse=True)
        return [
            row
            for row in newest
            if (not order_id or row.summary.order_id == order_id) and (not before or row.notification_id < before)
        ][:limit]

    async def events(self, notification_id: str) -> Sequence[DeliveryEvent]:
        self._check()
        told = [event for event in self._told if event.notification_id == notification_id]
        return sorted(told, key=lambda event: event.occurred_at)

    async def update(self, before: Notification, after: Notification) -> bool:
        self._check()
        if self.rows[before.notification_id].version != before.version:
            return False
        self._write(after)
        return True

    async def claim(self, limit: int) -> Sequence[Notification]:
        self._check()
        now = self._clock.now()
        due = sorted(
            (row for row in self.rows.values() if row.due_at is not None and row.due_at <= now),
            key=lambda row: (row.due_at, row.notification_id),
        )[:limit]
        claimed = [sending.parked(row) if sending.exhausted(row) else sending.begun(row, now) for row in due]
        for row in claimed:
            self._write(row)
        return claimed

    async def next_due(self) -> float | None:
        self._check()
        self.looks += 1
        now = self._clock.now()
        return min((due - now).total_seconds() for due in self._due()) if self._due() else None

    async def backlog(self) -> Backlog:
        self._check()
        now = self._clock.now()
        ages = [(now - row.created_at).total_seconds() for row in self.rows.values() if row.due_at is not None]
        return Backlog(len(ages), max([0.0, *ages]))

    def _due(self) -> list[datetime]:
        return [row.due_at for row in self.rows.values() if row.due_at is not None]

    async def ingest(self, events: Sequence[DeliveryEvent]) -> int:
        self._check()
        new = {event.event_id: event for event in events if event.event_id not in self._events}
        self._events |= new.keys()
        self._told.extend(new.values())
        for event in new.values():
            row = self.rows.get(event.notification_id)
            if row is not None:
                self.rows[row.notification_id] = sending.observed(
                    row, event.proves(), event.message_id, event.complaint(), event.occurred_at
                )
        return len(new)

    async def news(self, limit: int, after: tuple[datetime, str] | None = None) -> Sequence[Notification]:
        self._check()
        told = {(row.news_at, row.notification_id): row for row in self.rows.values() if row.news_at is not None}
        return [told[place] for place in sorted(told) if after is None or place > after][:limit]

    async def heard(self, notification_id: str, version: int) -> bool:
        self._check()
        row = self.rows.get(notification_id)
        if row is None or row.version != version:
            return False
        self.rows[notification_id] = replace(row, news_at=None)
        return True

    def spoil(self, notification_id: str, **fields: object) -> None:
        """Change a notification behind everybody's back, as another replica would."""
        row = self.rows[notification_id]
        self.rows[notification_id] = replace(row, version=row.version + 1, **fields)  # type: ignore[arg-type]  # names of fields

    def _write(self, notification: Notification) -> None:
        self.rows[notification.notification_id] = notification
        self.commits += 1
        self.changed.set()

    def _check(self) -> None:
        if self.away:
            raise Refusal(Reason.UNAVAILABLE, "away")
