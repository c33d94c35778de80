"""Notifications in SQLite or PostgreSQL, through the group commit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, bindparam, func, select, tuple_, update

from chassis.storage.changes import Absent, Change, CommitUnknown, Conflict, Expect, Insert, StorageUnavailable, Update
from chassis.storage.request_keys import RequestKey, find_request
from chassis.storage.store import Store, database_now
from chassis.telemetry import spans
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.request import Request
from notify_svc.adapters import rows
from notify_svc.adapters.tables import NOTIFICATIONS, REQUEST_KEYS, SENDGRID_EVENTS
from notify_svc.app.ports import Backlog
from notify_svc.domain import sending
from notify_svc.domain.event import DeliveryEvent
from notify_svc.domain.notification import Notification

T = TypeVar("T")

_METHOD = "SendNotification"
_WAITING = NOTIFICATIONS.c.due_at
# Built once, because that takes longer than executing it.
_NEXT_DUE = select(func.min(_WAITING), select(database_now()).scalar_subquery()).where(_WAITING.is_not(None))

# A batch of events meets a sender that stores its outcome, or another batch: each round one of them gets through.
_INGEST_ROUNDS = 10


class NotificationsStore:
    """The port `Notifications` on a Store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        # The database's clock less ours, in milliseconds: what is due is written and judged by the database's.
        self._offset_ms = 0

    async def add(self, request: Request, notification: Notification) -> bool:
        """Store a notification and the key it was asked for with; False when the key was used before."""
        key = {"caller": request.caller, "method": _METHOD, "request_id": request.request_id}
        row = {**rows.fixed_columns(notification), **rows.moving_columns(notification, self._offset_ms)}
        use = {
            **key,
            "fingerprint": request.fingerprint,
            "subject_id": notification.notification_id,
            "created_at": row["created_at"],
        }
        change = Change((Absent(REQUEST_KEYS, key),), (Insert(REQUEST_KEYS, use), Insert(NOTIFICATIONS, row)))
        try:
            with _refusing():
                await self._store.commit(change)
        except Conflict:
            return False
        except CommitUnknown:
            found = await self.find(request)
            return found is not None and found[1].notification_id == notification.notification_id
        return True

    async def find(self, request: Request) -> tuple[str, Notification] | None:
        """Return the fingerprint and the notification of an earlier use of the key."""
        key = RequestKey(request.caller, _METHOD, request.request_id, request.fingerprint)

        def body(connection: Connection) -> tuple[str, Notification] | None:
            used = find_request(connection, REQUEST_KEYS, key)
            if used is None:
                return None
            fingerprint, notification_id = used
            (notification,) = _read(connection, [notification_id])
            return fingerprint, notification

        return await self._read(body)

    async def get(self, notification_id: str) -> Notification | None:
        """Return the notification."""
        found = await self._read(lambda connection: _read(connection, [notification_id]))
        return found[0] if found else None

    async def page(self, order_id: str, before: str, limit: int) -> Sequence[Notification]:
        """Return notifications, newest first, below the id `before`."""
        query = select(NOTIFICATIONS).order_by(NOTIFICATIONS.c.notification_id.desc()).limit(limit)
        if order_id:
            query = query.where(NOTIFICATIONS.c.order_id == order_id)
        if before:
            query = query.where(NOTIFICATIONS.c.notification_id < before)
        return await self._read(lambda connection: [rows.notification(row) for row in connection.execute(query)])

    async def events(self, notification_id: str) -> Sequence[DeliveryEvent]:
        """Return what the mail provider has told of a notification's mail, oldest first."""
        query = (
            select(SENDGRID_EVENTS)
            .where(SENDGRID_EVENTS.c.notification_id == notification_id)
            .order_by(SENDGRID_EVENTS.c.occurred_at, SENDGRID_EVENTS.c.received_at, SENDGRID_EVENTS.c.event_id)
        )
        return await self._read(lambda connection: [rows.event_from_row(row) for row in connection.execute(query)])

    async def update(self, before: Notification, after: Notification) -> bool:
        """Replace the notification; False when it is no longer at `before`'s version."""
        change = Change((Expect(NOTIFICATIONS, before.notification_id, before.version),), (self._replacing(after),))
        try:
            with _refusing():
                await self._store.commit(change)
        except Conflict:
            return False
        except CommitUnknown:
            # Told by the version, and by the one column that says what was done: nobody else writes both the same.
            now = await self.get(before.notification_id)
            return now is not None and (now.version, now.state, now.attempts) == (
                after.version,
                after.state,
                after.attempts,
            )
        return True

    async def claim(self, limit: int) -> Sequence[Notification]:
        """Begin an attempt on notifications that are due, or park them, and return them."""

        def body(connection: Connection) -> Sequence[Notification]:
            due = (
                select(NOTIFICATIONS)
                .where(NOTIFICATIONS.c.due_at <= database_now())
                .order_by(NOTIFICATIONS.c.due_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            now = self._clock.now()
            found = [rows.notification(row) for row in connection.execute(due)]
            claimed = [sending.parked(each) if sending.exhausted(each) else sending.begun(each, now) for each in found]
            if claimed:
                connection.execute(_CLAIM, [self._claimed(each) for each in claimed])
            return claimed

        try:
            with _refusing():
                return await self._store.transact(body)
        except CommitUnknown as error:
            # What was claimed after all is due again when its lease is over.
            raise _away() from error

    async def next_due(self) -> float | None:
        """Return the seconds until the next is due, and learn how the database's clock differs from ours."""
        due, now = await self._read(lambda connection: connection.execute(_NEXT_DUE).one())
        self._offset_ms = now - rows.to_ms(self._clock.now())
        return None if due is None else (due - now) / 1000

    async def backlog(self) -> Backlog:
        """Return what waits."""
        oldest = func.min(NOTIFICATIONS.c.created_at)
        query = select(func.count(), oldest, select(database_now()).scalar_subquery()).where(_WAITING.is_not(None))
        depth, since, now = await self._read(lambda connection: connection.execute(query).one())
        return Backlog(depth, 0.0 if since is None else max(0, now - since) / 1000)

    async def ingest(self, events: Sequence[DeliveryEvent]) -> int:
        """Store events and apply the new ones, in one change; return how many were new."""
        distinct = {event.event_id: event for event in events}
        for _ in range(_INGEST_ROUNDS):
            known, notifications = await self._read(lambda connection: _known(connection, distinct))
            new = [event for event in distinct.values() if event.event_id not in known]
            if not new:
                return 0
            try:
                with _refusing():
                    await self._store.commit(self._applying(new, notifications))
            except (Conflict, CommitUnknown):
                continue  # what is there now is read, and decides
            spans.goes_on_from(each.traceparent for each in notifications)
            return len(new)
        raise _away()

    async def news(self, limit: int, after: tuple[datetime, str] | None = None) -> Sequence[Notification]:
        """Return notifications that are news, the longest unheard first, after the given (news_at, notification_id)."""
        place = (NOTIFICATIONS.c.news_at, NOTIFICATIONS.c.notification_id)
        query = select(NOTIFICATIONS).where(NOTIFICATIONS.c.news_at.is_not(None)).order_by(*place).limit(limit)
        if after is not None:
            query = query.where(tuple_(*place) > (rows.to_ms(after[0]), after[1]))
        return await self._read(lambda connection: [rows.notification(row) for row in connection.execute(query)])

    async def heard(self, notification_id: str, version: int) -> bool:
        """Keep that a notification is news no more; False, unless that is certain, when it has changed since."""
        key = {"notification_id": notification_id}
        guards = (Expect(NOTIFICATIONS, notification_id, version),)
        try:
            with _refusing():
                await self._store.commit(Change(guards, (Update(NOTIFICATIONS, key, {"news_at": None}),)))
        except (Conflict, CommitUnknown):
            return False
        return True

    def _applying(self, events: Sequence[DeliveryEvent], notifications: Sequence[Notification]) -> Change:
        received_at = self._clock.now()
        guards: list[Absent | Expect] = []
        writes: list[Insert | Update] = []
        for event in events:
            guards.append(Absent(SENDGRID_EVENTS, {"event_id": event.event_id}))
            writes.append(Insert(SENDGRID_EVENTS, rows.event_row(event, received_at)))
        for before in notifications:
            after = before
            for event in events:
                if event.notification_id == before.notification_id:
                    after = sending.observed(
                        after, event.proves(), event.message_id, event.complaint(), event.occurred_at
                    )
            if after is not before:
                guards.append(Expect(NOTIFICATIONS, before.notification_id, before.version))
                writes.append(self._replacing(after))
        return Change(tuple(guards), tuple(writes))

    def _replacing(self, notification: Notification) -> Update:
        key = {"notification_id": notification.notification_id}
        return Update(NOTIFICATIONS, key, rows.moving_columns(notification, self._offset_ms))

    def _claimed(self, notification: Notification) -> dict[str, object]:
        moving = rows.moving_columns(notification, self._offset_ms)
        return {"key": notification.notification_id, **{f"to_{name}": moving[name] for name in _CLAIMED}}

    async def _read(self, body: Callable[[Connection], T]) -> T:
        with _refusing():
            return await self._store.read(body)


# What a claim changes.
_CLAIMED = ("version", "attempts", "open_attempts", "last_error", "due_at")
_CLAIM = (
    update(NOTIFICATIONS)
    .where(NOTIFICATIONS.c.notification_id == bindparam("key"))
    .values({name: bindparam(f"to_{name}") for name in _CLAIMED})
)


def _read(connection: Connection, notification_ids: Sequence[str]) -> list[Notification]:
    query = select(NOTIFICATIONS).where(NOTIFICATIONS.c.notification_id.in_(notification_ids))
    return [rows.notification(row) for row in connection.execute(query)]


def _known(connection: Connection, events: dict[str, DeliveryEvent]) -> tuple[set[str], list[Notification]]:
    """Return which events are stored already, and the notifications that all of them are about."""
    ids = select(SENDGRID_EVENTS.c.event_id).where(SENDGRID_EVENTS.c.event_id.in_(list(events)))
    known = set(connection.execute(ids).scalars())
    wanted = {event.notification_id for event in events.values() if event.notification_id}
    return known, _read(connection, sorted(wanted))


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn the storage's absence into our own words."""
    try:
        yield
    except StorageUnavailable as error:
        raise _away() from error


def _away() -> Refusal:
    return Refusal(
        Reason.UNAVAILABLE, "The notify service cannot reach its database; repeat the request.", retry_after=1.0
    )
