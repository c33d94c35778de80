"""Payments, refunds and Stripe's events in the service's own tables."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    literal_column,
    select,
    true,
    tuple_,
    update,
)

from chassis.storage.changes import Change, CommitUnknown, Conflict, Expect, Insert, StorageUnavailable, Update
from chassis.storage.store import Store
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from payment_svc.adapters.rows import (
    event_columns,
    event_of,
    key_columns,
    moving_columns,
    moving_refund_columns,
    payment_columns,
    payment_of,
    refund_columns,
    to_ms,
)
from payment_svc.adapters.tables import PAYMENTS, REFUNDS, REQUEST_KEYS, STRIPE_EVENTS
from payment_svc.app.ports import Found, ProviderEvent, Request, Use
from payment_svc.domain.payment import Payment
from payment_svc.domain.refund import Refund

T = TypeVar("T")

_RETRY_SECONDS = 1.0

_REFUNDS_OF = select(REFUNDS).where(REFUNDS.c.payment_id == bindparam("payment_id")).order_by(REFUNDS.c.refund_id)

_NEWS = (
    select(PAYMENTS)
    .where(PAYMENTS.c.news_at.is_not(None))
    .order_by(PAYMENTS.c.news_at, PAYMENTS.c.payment_id)
    .limit(bindparam("most", type_=Integer))
)
_REFUNDS_OF_ALL = (
    select(REFUNDS)
    .where(REFUNDS.c.payment_id.in_(bindparam("payment_ids", expanding=True)))
    .order_by(REFUNDS.c.refund_id)
)


def _lookup(column: Column[str]) -> Select[Any]:
    """Return the statement that finds a payment and the use of a key at once: always one row, whatever it finds."""
    one = select(literal_column("1").label("one")).subquery()
    is_key = and_(
        REQUEST_KEYS.c.caller == bindparam("caller"),
        REQUEST_KEYS.c.method == bindparam("method"),
        REQUEST_KEYS.c.request_id == bindparam("request_id"),
    )
    used = (REQUEST_KEYS.c.fingerprint.label("used_fingerprint"), REQUEST_KEYS.c.subject_id.label("used_subject_id"))
    source = one.outerjoin(PAYMENTS, column == bindparam("subject")).outerjoin(REQUEST_KEYS, is_key)
    return select(PAYMENTS, *used).select_from(source)


_BY_ORDER = _lookup(PAYMENTS.c.order_id)
_BY_ID = _lookup(PAYMENTS.c.payment_id)


class StoredPayments:
    """The ports PaymentStore, NewsStore and EventStore on a Store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def by_order(self, order_id: str, request: Request) -> Found:
        """Return the payment of an order and the earlier use of the key."""
        return await self._find(_BY_ORDER, order_id, request)

    async def by_id(self, payment_id: str, request: Request) -> Found:
        """Return a payment by its id and the earlier use of the key."""
        return await self._find(_BY_ID, payment_id, request)

    async def get(self, payment_id: str) -> Payment | None:
        """Return a payment by its id."""
        return await self._read(lambda connection: _one(connection, PAYMENTS.c.payment_id, payment_id))

    async def by_intent(self, intent_id: str) -> Payment | None:
        """Return a payment by Stripe's id."""
        return await self._read(lambda connection: _one(connection, PAYMENTS.c.intent_id, intent_id))

    async def page(self, order_id: str, after: tuple[datetime, str] | None, size: int) -> list[Payment]:
        """Return payments, newest first, that come after the given (created_at, payment_id)."""
        place = (PAYMENTS.c.created_at, PAYMENTS.c.payment_id)
        wanted = PAYMENTS.c.order_id == order_id if order_id else true()
        if after is not None:
            wanted = and_(wanted, tuple_(*place) < (to_ms(after[0]), after[1]))
        query = select(PAYMENTS).where(wanted).order_by(*(column.desc() for column in place)).limit(size)
        return await self._read(lambda connection: _payments(connection, connection.execute(query).all()))

    async def add(self, payment: Payment, look_at: datetime, request: Request) -> bool:
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

    async def add_refund(self, payment: Payment, refund: Refund, look_at: datetime, request: Request) -> bool:
        """Keep a new refund, the next version of its payment, and the key that asked for it."""
        row = Insert(REFUNDS, refund_columns(refund, look_at))
        key = self._key(request, refund.refund_id)
        return await self._commit(Change((_fence(payment),), (_next(payment, None), row, key)))

    async def save_refund(self, payment: Payment, refund: Refund, look_at: datetime | None) -> bool:
        """Keep a changed refund and the next version of its payment."""
        row = Update(REFUNDS, {"refund_id": refund.refund_id}, moving_refund_columns(refund, look_at))
        return await self._commit(Change((_fence(payment),), (_next(payment, None), row)))

    async def due_payments(self, now: datetime, most: int) -> list[Payment]:
        """Return payments that are to be looked at, most overdue first."""
        due = {"now": to_ms(now), "most": most}
        return await self._read(lambda connection: _payments(connection, connection.execute(_due(PAYMENTS), due).all()))

    async def due_refunds(self, now: datetime, most: int) -> list[tuple[Payment, Refund]]:
        """Return refunds that are to be looked at, most overdue first."""
        limits = {"now": to_ms(now), "most": most}

        def read(connection: Connection) -> list[tuple[Payment, Refund]]:
            due = []
            for row in connection.execute(_due(REFUNDS), limits).all():
                payment = _one(connection, PAYMENTS.c.payment_id, row.payment_id)
                if payment is not None:
                    due.append((payment, payment.refund(row.refund_id)))
            return due

        return await self._read(read)

    async def put_off_payment(self, payment_id: str, look_at: datetime) -> None:
        """Look at a payment later, if it is to be looked at at all."""
        await self._put_off(PAYMENTS, PAYMENTS.c.payment_id, payment_id, look_at)

    async def put_off_refund(self, refund_id: str, look_at: datetime | None) -> None:
        """Look at a refund later or never again, if it is to be looked at at all."""
        await self._put_off(REFUNDS, REFUNDS.c.refund_id, refund_id, look_at)

    async def news(self, most: int) -> list[Payment]:
        """Return payments that are news, the longest unheard first."""
        limit = {"most": most}
        return await self._read(lambda connection: _payments(connection, connection.execute(_NEWS, limit).all()))

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
        events = _due(STRIPE_EVENTS)
        return await self._read(lambda connection: [event_of(row) for row in connection.execute(events, due)])

    async def put_off_event(self, event_id: str, look_at: datetime | None) -> None:
        """Apply an event later, or never again."""
        row = Update(STRIPE_EVENTS, {"event_id": event_id}, {"look_at": look_at and to_ms(look_at)})
        await self._commit(Change((), (row,)))

    async def _find(self, lookup: Select[Any], subject: str, request: Request) -> Found:
        parameters = {
            "subject": subject,
            "caller": request.caller,
            "method": request.method,
            "request_id": request.request_id,
        }

        def read(connection: Connection) -> Found:
            row = connection.execute(lookup, parameters).one()
            use = None if row.used_fingerprint is None else Use(row.used_fingerprint, row.used_subject_id)
            if row.payment_id is None:
                return Found(None, use)
            return Found(_payment(connection, row), use)

        return await self._read(read)

    async def _put_off(self, table: Table, key: Column[str], value: str, look_at: datetime | None) -> None:
        is_due = and_(key == value, table.c.look_at.is_not(None))
        later = update(table).where(is_due).values(look_at=look_at and to_ms(look_at))
        try:
            await self._store.transact(lambda connection: connection.execute(later).close())
        except CommitUnknown:
            return  # at worst it is looked at once more than needed
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


@cache
def _due(table: Table) -> Select[Any]:
    # Built once, because that takes longer than executing it; the others below as well.
    most = bindparam("most", type_=Integer)
    return select(table).where(table.c.look_at <= bindparam("now")).order_by(table.c.look_at).limit(most)


@cache
def _by(column: Column[str]) -> Select[Any]:
    return select(PAYMENTS).where(column == bindparam("value"))


def _one(connection: Connection, column: Column[str], value: str) -> Payment | None:
    row = connection.execute(_by(column), {"value": value}).first()
    return None if row is None else _payment(connection, row)


def _payment(connection: Connection, row: Row[Any]) -> Payment:
    return payment_of(row, connection.execute(_REFUNDS_OF, {"payment_id": row.payment_id}).all())


def _payments(connection: Connection, rows: Sequence[Row[Any]]) -> list[Payment]:
    """Return payments with their refunds, which are read at once for all of them."""
    ids = [row.payment_id for row in rows]
    of_payment: dict[str, list[Row[Any]]] = {each: [] for each in ids}
    for refund in connection.execute(_REFUNDS_OF_ALL, {"payment_ids": ids}) if ids else ():
        of_payment[refund.payment_id].append(refund)
    return [payment_of(row, of_payment[row.payment_id]) for row in rows]


def _away() -> Refusal:
    return Refusal(Reason.UNAVAILABLE, "The payments' database is away; try again.", retry_after=_RETRY_SECONDS)
