"""How bounds on a customer's orders and declined cards are kept in the tables: as guards of the commit that counts."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from chassis.storage.changes import Fewer, Insert
from kernel.ids import least_id_at
from order_svc.adapters.columns_json import from_ms, to_ms
from order_svc.adapters.tables import ORDER_DECLINES, ORDERS
from order_svc.domain.order import Order
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import WINDOW, Bound, Counted, subjects

# The finest that times are kept in: what is exactly a window old counts no more.
_INSTANT = timedelta(milliseconds=1)


def guard(bound: Bound, now: datetime) -> Fewer:
    """Return what has to hold for a commit to be within the bound: a range of an index, as long as its limit."""
    since = now - WINDOW + _INSTANT
    if bound.counted is Counted.ORDERS:
        # An order's id was made when the order was, and the index of a customer's orders goes by it.
        return Fewer(ORDERS, {"customer_id": bound.subject}, "order_id", least_id_at(since), bound.most)
    return Fewer(ORDER_DECLINES, {"subject": bound.subject}, "at", to_ms(since), bound.most)


def oldest(connection: Connection, failed: Fewer) -> datetime | None:
    """Return when the first of what a guard counts came; None when nothing is left of it."""
    at = ORDERS.c.created_at if failed.table is ORDERS else ORDER_DECLINES.c.at
    counted = [failed.table.c[name] == value for name, value in failed.values.items()]
    found = connection.execute(select(func.min(at)).where(*counted, failed.table.c[failed.column] >= failed.since))
    first = found.scalar_one()
    return None if first is None else from_ms(first)


def declines(transition: Transition) -> tuple[Insert, ...]:
    """Return the rows that a move adds: one per name, where a card was declined."""
    if not transition.declined:
        return ()
    return tuple(Insert(ORDER_DECLINES, row) for row in _rows(transition.order))


def _rows(order: Order) -> list[Mapping[str, object]]:
    what = {"at": to_ms(order.updated_at), "order_id": order.order_id, "version": order.fence}
    return [{"subject": subject, **what} for subject in subjects(order)]
