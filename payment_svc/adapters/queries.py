"""What is read of the tables: statements, built once because that takes longer than executing them, and their rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    Row,
    Select,
    String,
    Table,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    true,
    tuple_,
)

from chassis.storage.lookup import Lookup
from payment_svc.adapters.rows import payment_of, to_ms
from payment_svc.adapters.tables import DISPUTES, PAYMENTS, REFUNDS, REQUEST_KEYS
from payment_svc.app.ports import Found, Request, Use
from payment_svc.domain.payment import Payment, PaymentState

_NEWS_PLACE = (PAYMENTS.c.news_at, PAYMENTS.c.payment_id)
_NEWS_AFTER = (bindparam("after_at", type_=BigInteger), bindparam("after_id", type_=String))
_NEWS = (
    select(PAYMENTS)
    .where(PAYMENTS.c.news_at.is_not(None), tuple_(*_NEWS_PLACE) > tuple_(*_NEWS_AFTER))
    .order_by(*_NEWS_PLACE)
    .limit(bindparam("most", type_=Integer))
)

# literal_column, so that SQLite takes the index over those that are open.
OPEN_DISPUTES = select(func.count()).select_from(DISPUTES).where(DISPUTES.c.is_open == literal_column("1"))


def _parts_of(table: Table, key: str) -> Select[Any]:
    """Return the statement that reads what belongs to payments, oldest first."""
    wanted = table.c.payment_id.in_(bindparam("payment_ids", expanding=True))
    return select(table).where(wanted).order_by(table.c.created_at, table.c[key])


_REFUNDS_OF = _parts_of(REFUNDS, "refund_id")
_DISPUTES_OF = _parts_of(DISPUTES, "dispute_id")


def _lookup(column: Column[str]) -> Lookup:
    """Return the statement that finds a payment and the use of a key at once: always one row, whatever it finds."""
    one = select(literal_column("1").label("one")).subquery()
    is_key = and_(
        REQUEST_KEYS.c.caller == bindparam("caller"),
        REQUEST_KEYS.c.method == bindparam("method"),
        REQUEST_KEYS.c.request_id == bindparam("request_id"),
    )
    used = (REQUEST_KEYS.c.fingerprint.label("used_fingerprint"), REQUEST_KEYS.c.subject_id.label("used_subject_id"))
    source = one.outerjoin(PAYMENTS, column == bindparam("subject")).outerjoin(REQUEST_KEYS, is_key)
    return Lookup(select(PAYMENTS, *used).select_from(source))


BY_ORDER = _lookup(PAYMENTS.c.order_id)
BY_ID = _lookup(PAYMENTS.c.payment_id)


def found(connection: Connection, lookup: Lookup, subject: str, request: Request) -> Found:
    """Return what a lookup finds."""
    row = lookup.one(connection, wanted(subject, request))
    return Found(None if row.payment_id is None else payments(connection, [row])[0], use(row))


def wanted(subject: str, request: Request) -> dict[str, str]:
    """Return the parameters of a lookup."""
    return {
        "subject": subject,
        "caller": request.caller,
        "method": request.method,
        "request_id": request.request_id,
    }


def use(row: Any) -> Use | None:  # noqa: ANN401  (see Lookup.one)
    """Return the earlier use of the key, in the row that a lookup finds."""
    return None if row.used_fingerprint is None else Use(row.used_fingerprint, row.used_subject_id)


def page(order_id: str, after: tuple[datetime, str] | None, size: int, *, disputed: bool) -> Select[Any]:
    """Return the statement that reads payments, newest first, that come after the given (created_at, payment_id)."""
    place = (PAYMENTS.c.created_at, PAYMENTS.c.payment_id)
    wanted = PAYMENTS.c.order_id == order_id if order_id else true()
    if disputed:
        wanted = and_(wanted, exists().where(DISPUTES.c.payment_id == PAYMENTS.c.payment_id))
    if after is not None:
        wanted = and_(wanted, tuple_(*place) < (to_ms(after[0]), after[1]))
    return select(PAYMENTS).where(wanted).order_by(*(column.desc() for column in place)).limit(size)


def news(connection: Connection, most: int, after: tuple[datetime, str] | None) -> list[Payment]:
    """Return payments that are news, the longest unheard first, that come after the given (news_at, payment_id)."""
    after_at, after_id = (to_ms(after[0]), after[1]) if after else (-1, "")
    place = {"most": most, "after_at": after_at, "after_id": after_id}
    return payments(connection, connection.execute(_NEWS, place).all())


@cache
def due(table: Table) -> Select[Any]:
    """Return the statement that reads what is to be looked at, most overdue first."""
    most = bindparam("most", type_=Integer)
    return select(table).where(table.c.look_at <= bindparam("now")).order_by(table.c.look_at).limit(most)


@cache
def _by(column: Column[str]) -> Select[Any]:
    return select(PAYMENTS).where(column == bindparam("value"))


def one(connection: Connection, column: Column[str], value: str) -> Payment | None:
    """Return the payment with a value in a unique column."""
    row = connection.execute(_by(column), {"value": value}).first()
    return None if row is None else payments(connection, [row])[0]


def payments(connection: Connection, rows: Sequence[Row[Any]]) -> list[Payment]:
    """Return payments with their refunds and disputes, which are read at once for all of them."""
    ids = [row.payment_id for row in rows]
    # Only money that was taken can be asked back, and most payments are read before it is.
    taken = [row.payment_id for row in rows if row.state == PaymentState.SUCCEEDED]
    refunds = _by_payment(connection.execute(_REFUNDS_OF, {"payment_ids": ids}) if ids else ())
    disputes = _by_payment(connection.execute(_DISPUTES_OF, {"payment_ids": taken}) if taken else ())
    return [payment_of(row, refunds.get(row.payment_id, []), disputes.get(row.payment_id, [])) for row in rows]


def _by_payment(rows: Iterable[Row[Any]]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.payment_id, []).append(row)
    return found
