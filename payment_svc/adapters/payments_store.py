"""Payments, refunds and Stripe's events in the service's own tables."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, update

from chassis.storage.changes import Change, CommitUnknown, Conflict, Expect, Insert, StorageUnavailable, Update
from chassis.storage.lookup import Lookup
from chassis.storage.store import Store
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from payment_svc.adapters import queries
from payment_svc.adapters.rows import (
    dispute_columns,
    event_columns,
    event_of,
    key_columns,
    moving_columns,
    moving_dispute_columns,
    moving_refund_columns,
    payment_columns,
    refund_columns,
    to_ms,
)
from payment_svc.adapters.tables import DISPUTES, PAYMENTS, REFUNDS, REQUEST_KEYS, STRIPE_EVENTS
from payment_svc.app.ports import Found, ProviderEvent, Request
from payment_svc.domain.dispute import Dispute
from payment_svc.domain.payment import Payment
from payment_svc.domain.refund import Refund

T = TypeVar("T")

_RETRY_SECONDS = 1.0


class StoredPayments:
    """The ports PaymentStore, NewsStore and EventStore on a Store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def by_order(self, order_id: str, request: Request) -> Found:
        """Return the payment of an order and the earlier use of the key."""
        try:
            row = await self._store.find(queries.BY_ORDER, queries.wanted(order_id, request))
        except StorageUnavailable as error:
            raise _away() from error
        if row.payment_id is None:  # as a rule: whoever asks is about to charge for the order
            return Found(None, queries.use(row))
        return await self._find(queries.BY_ORDER, order_id, request)

    async def by_id(self, payment_id: str, request: Request) -> Found:
        """Return a payment by its id and the earlier use of the key."""
        return await self._find(queries.BY_ID, payment_id, request)

    async def get(self, payment_id: str) -> Payment | None:
        """Return a payment by its id."""
        return await self._read(lambda connection: queries.one(connection, PAYMENTS.c.payment_id, payment_id))

    async def by_intent(self, intent_id: str) -> Payment | None:
        """Return a payment by Stripe's id."""
        return await self._read(lambda connection: queries.one(connection, PAYMENTS.c.intent_id, intent_id))

    async def page(
        self, order_id: str, after: tuple[datetime, str] | None, size: int, *, disputed: bool = False
    ) -> list[Payment]:
        """Return payments, newest first, that come after the given (created_at, payment_id)."""
        return await self._payments(queries.page(order_id, after, size, disputed=disputed))

    async def add(self, payment: Payment, look_at: datetime | None, request: Request) -> bool:
        """Keep a new payment and the key that asked for it."""
        # No guards: who calls has just looked, and against others the unique keys hold.
        row = Insert(PAYMENTS, payment_columns(payment, look_at))
        return await self._commit(Change((), (row, self._key(request, payment.payment_id))))

    async def save(self, payment: Payment, look_at: datetime | None, request: Request | None = None) -> bool:
        """Keep the next version of a payment."""
        keys = () if request is None else (self._key(request, payment.payment_id),)
        return await self._commit(Change((_fence(payment),), (_next(payment, look_at), *keys)))

    async def remember(self, request: Request, subject_id: str) -> bool:
        """Keep a key whose command changed nothing."""
        return await self._commit(Change((), (self._key(request, subject_id),)))

    async def add_refund(
        self, payment: Payment, refund: Refund, look_at: datetime | None, request: Request | None
    ) -> bool:
        """Keep a new refund, the next version of its payment, and the key that asked for it where there is one."""
        row = Insert(REFUNDS, refund_columns(refund, look_at))
        keys = () if request is None else (self._key(request, refund.refund_id),)
        return await self._commit(Change((_fence(payment),), (_next(payment, None), row, *keys)))

    async def save_refund(self, payment: Payment, refund: Refund, look_at: datetime | None) -> bool:
        """Keep a changed refund and the next version of its payment."""
        row = Update(REFUNDS, {"refund_id": refund.refund_id}, moving_refund_columns(refund, look_at))
        return await self._commit(Change((_fence(payment),), (_next(payment, None), row)))

    async def save_dispute(self, payment: Payment, dispute: Dispute, *, new: bool) -> bool:
        """Keep a new or changed dispute and the next version of its payment."""
        row: Insert | Update
        if new:
            row = Insert(DISPUTES, dispute_columns(dispute, payment.payment_id))
        else:
            row = Update(DISPUTES, {"dispute_id": dispute.dispute_id}, moving_dispute_columns(dispute))
        return await self._commit(Change((_fence(payment),), (_next(payment, None), row)))

    async def open_disputes(self) -> int:
        """Return how many disputes are open."""
        return await self._read(lambda connection: connection.execute(queries.OPEN_DISPUTES).scalar_one())

    async def due_payments(self, now: datetime, most: int) -> list[Payment]:
        """Return payments that are to be looked at, most overdue first."""
        return await self._payments(queries.due(PAYMENTS), {"now": to_ms(now), "most": most})

    async def due_refunds(self, now: datetime, most: int) -> list[tuple[Payment, Refund]]:
        """Return refunds that are to be looked at, most overdue first."""
        limits = {"now": to_ms(now), "most": most}

        def read(connection: Connection) -> list[tuple[Payment, Refund]]:
            due = []
            for row in connection.execute(queries.due(REFUNDS), limits).all():
                payment = queries.one(connection, PAYMENTS.c.payment_id, row.payment_id)
                if payment is not None:
                    due.append((payment, payment.refund(row.refund_id)))
            return due

        return await self._read(read)

    async def take_payment(self, payment_id: str, now: datetime, look_at: datetime) -> bool:
        """Put off a payment that is due; False when somebody else was faster."""
        return await self._take(PAYMENTS, PAYMENTS.c.payment_id == payment_id, now, look_at)

    async def take_refund(self, refund_id: str, now: datetime, look_at: datetime | None) -> bool:
        """Put off a refund that is due; False when somebody else was faster."""
        return await self._take(REFUNDS, REFUNDS.c.refund_id == refund_id, now, look_at)

    async def news(self, most: int, after: tuple[datetime, str] | None = None) -> list[Payment]:
        """Return payments that are news, the longest unheard first, that come after the given (news_at, payment_id)."""
        return await self._read(lambda connection: queries.news(connection, most, after))

    async def heard(self, payment_id: str, version: int) -> bool:
        """Keep that a payment is news no more, unless it has changed since this version."""
        key = {"payment_id": payment_id}
        change = Change((Expect(PAYMENTS, payment_id, version),), (Update(PAYMENTS, key, {"news_at": None}),))
        return await self._commit(change)

    async def add_event(self, event: ProviderEvent, now: datetime, look_at: datetime | None) -> bool:
        """Keep an event; False when its id was kept before."""
        try:
            await self._store.commit(Change((), (Insert(STRIPE_EVENTS, event_columns(event, now, look_at)),)))
        except Conflict:
            return False
        except (CommitUnknown, StorageUnavailable) as error:
            # Not answered as kept: Stripe sends it again, and if it was kept after all, that one is the duplicate.
            raise _away() from error
        return True

    async def due_events(self, now: datetime, most: int) -> list[tuple[ProviderEvent, datetime]]:
        """Return events that are to be applied and when they came, most overdue first."""
        due = {"now": to_ms(now), "most": most}
        events = queries.due(STRIPE_EVENTS)
        return await self._read(lambda connection: [event_of(row) for row in connection.execute(events, due)])

    async def take_event(self, event_id: str, now: datetime, look_at: datetime) -> bool:
        """Put off an event that is due; False when somebody else was faster."""
        return await self._take(STRIPE_EVENTS, STRIPE_EVENTS.c.event_id == event_id, now, look_at)

    async def applied(self, event_id: str) -> None:
        """Keep that an event was applied."""
        await self._commit(Change((), (Update(STRIPE_EVENTS, {"event_id": event_id}, {"look_at": None}),)))

    async def _find(self, lookup: Lookup, subject: str, request: Request) -> Found:
        return await self._read(lambda connection: queries.found(connection, lookup, subject, request))

    async def _payments(self, query: Select[Any], parameters: dict[str, int] | None = None) -> list[Payment]:
        return await self._read(
            lambda connection: queries.payments(connection, connection.execute(query, parameters).all())
        )

    async def _take(self, table: Table, row: ColumnElement[bool], now: datetime, look_at: datetime | None) -> bool:
        """Put off a row in one statement with the look whether it is due: of several replicas one finds that it is."""
        later = update(table).where(row, table.c.look_at <= to_ms(now)).values(look_at=look_at and to_ms(look_at))
        try:
            return await self._store.transact(lambda connection: connection.execute(later).rowcount == 1)
        except CommitUnknown:
            # At worst it is looked at when it is due again; what will not be due again is looked at now, perhaps twice.
            return look_at is None
        except StorageUnavailable as error:
            raise _away() from error

    async def _commit(self, change: Change) -> bool:
        try:
            await self._store.commit(change)
        except (Conflict, CommitUnknown):
            # Whether it is our own change that is there now, or another's, is seen by reading.
            return False
        except StorageUnavailable as error:
            raise _away() from error
        return True

    async def _read(self, body: Callable[[Connection], T]) -> T:
        try:
            return await self._store.read(body)
        except StorageUnavailable as error:
            raise _away() from error

    def _key(self, request: Request, subject_id: str) -> Insert:
        return Insert(REQUEST_KEYS, key_columns(request, subject_id, self._clock.now()))


def _fence(payment: Payment) -> Expect:
    return Expect(PAYMENTS, payment.payment_id, payment.version - 1)


def _next(payment: Payment, look_at: datetime | None) -> Update:
    return Update(PAYMENTS, {"payment_id": payment.payment_id}, moving_columns(payment, look_at))


def _away() -> Refusal:
    return Refusal(Reason.UNAVAILABLE, "The payments' database is away; try again.", retry_after=_RETRY_SECONDS)
