"""What is asked of the tables: orders whole, their stories, and what is not finished. Each reads one snapshot."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Label,
    Row,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from chassis.storage.store import database_now
from kernel.ids import least_id_at
from order_svc.adapters import rows
from order_svc.adapters.columns_json import from_ms, to_ms
from order_svc.adapters.tables import ORDER_EVENTS, ORDER_ITEMS, ORDER_TASKS, ORDERS
from order_svc.app.ports import Backlog, Due, OrderFilter, Story
from order_svc.domain.order import Order, State
from order_svc.domain.overview import Counted
from order_svc.domain.retry import Standing
from order_svc.domain.task import Task

# Statements that every order needs are built once: building one anew, and finding what it was compiled to, takes five
# times as long as executing it on SQLite.
_ORDER = select(ORDERS).where(ORDERS.c.order_id == bindparam("order_id"))
# Whose order it is not learns nothing of it, not even by how long the answer takes: the row is never read.
_OWN_ORDER = _ORDER.where(ORDERS.c.customer_id == bindparam("customer_id"))
_ORDERS = select(ORDERS).where(ORDERS.c.order_id.in_(bindparam("order_ids", expanding=True)))
_ITEMS = (
    select(ORDER_ITEMS)
    .where(ORDER_ITEMS.c.order_id.in_(bindparam("order_ids", expanding=True)))
    .order_by(ORDER_ITEMS.c.order_id, ORDER_ITEMS.c.position)
)

# How far an order's id and its creation time may be apart: they are taken one after the other, so much less.
_APART = timedelta(minutes=1)
# Before all orders; an id holds no time before 1970.
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)


def _any_due(table: Table, time: ColumnElement[int]) -> ColumnElement[bool]:
    return select(table).where(time <= database_now()).exists()


def _oldest(state: State) -> ScalarSelect[int]:
    """Return when the oldest order in a state was placed: ids are in order of time, and so is the index."""
    first = select(ORDERS.c.created_at).where(ORDERS.c.state == state.value).order_by(ORDERS.c.order_id).limit(1)
    return first.scalar_subquery()


_DUE = select(
    _any_due(ORDERS, ORDERS.c.wake_at).label("orders"),
    _any_due(ORDER_TASKS, ORDER_TASKS.c.due_at).label("tasks"),
    database_now().label("now"),
)
_WAITING = ORDER_TASKS.c.due_at.is_not(None)
_BACKLOG = select(
    select(func.count()).select_from(ORDER_TASKS).where(_WAITING).scalar_subquery().label("tasks"),
    select(func.min(ORDER_TASKS.c.created_at)).where(_WAITING).scalar_subquery().label("oldest_task"),
    select(func.count()).select_from(ORDERS).where(ORDERS.c.needs_review).scalar_subquery().label("in_review"),
    _oldest(State.PENDING).label("pending"),
    _oldest(State.PAYMENT_ACTION_REQUIRED).label("waiting"),
    database_now().label("now"),
)


def _in_state(state: State) -> Label[int]:
    """Count so many orders of a state: the beginning of its part of `orders_by_state`, which is in that order."""
    some = select(ORDERS.c.order_id).where(ORDERS.c.state == state.value).order_by(ORDERS.c.order_id)
    so_many = some.limit(bindparam("most", type_=Integer)).subquery()
    return select(func.count()).select_from(so_many).scalar_subquery().label(state.value)


# Both read an index alone: these, and the newest ids of the primary key.
_BY_STATE = select(*(_in_state(state) for state in State))
_PLACED = select(func.count()).select_from(ORDERS).where(ORDERS.c.order_id >= bindparam("first"))


def orders_of(
    connection: Connection, query: Select[Any], parameters: Mapping[str, object] | None = None
) -> list[Order]:
    """Return the orders that a query of whole rows of `orders` finds, each with its items."""
    found = connection.execute(query, parameters).all()
    if not found:
        return []
    items: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for item in connection.execute(_ITEMS, {"order_ids": [row.order_id for row in found]}):
        items[item.order_id].append(item)
    return [rows.order_from_rows(row, items[row.order_id]) for row in found]


def order_of(connection: Connection, order_id: str, customer_id: str = "") -> Order | None:
    """Return the order of an id; None as well when it is not that customer's, where one is named."""
    if customer_id:
        found = orders_of(connection, _OWN_ORDER, {"order_id": order_id, "customer_id": customer_id})
    else:
        found = orders_of(connection, _ORDER, {"order_id": order_id})
    return found[0] if found else None


def orders_by_id(connection: Connection, order_ids: Collection[str]) -> dict[str, Order]:
    """Return the orders of these ids that there are."""
    found = orders_of(connection, _ORDERS, {"order_ids": list(order_ids)})
    return {order.order_id: order for order in found}


def page_of(connection: Connection, wanted: OrderFilter, after: str, limit: int) -> list[Order]:
    """Return orders, newest first, beginning below the order id `after`."""
    query = select(ORDERS).order_by(ORDERS.c.order_id.desc()).limit(limit)
    if after:
        query = query.where(ORDERS.c.order_id < after)
    if wanted.customer_id:
        query = query.where(ORDERS.c.customer_id == wanted.customer_id)
    if wanted.state is not None:
        query = query.where(ORDERS.c.state == wanted.state.value)
    if wanted.needs_review:
        query = query.where(ORDERS.c.needs_review)
    # An order's id was made when the order was: a range of ids, which the indexes serve, holds those of a time.
    if wanted.created_from is not None:
        query = query.where(ORDERS.c.created_at >= to_ms(wanted.created_from))
        query = query.where(ORDERS.c.order_id >= least_id_at(max(wanted.created_from, _FIRST) - _APART))
    if wanted.created_before is not None:
        query = query.where(ORDERS.c.created_at < to_ms(wanted.created_before))
        query = query.where(ORDERS.c.order_id < least_id_at(max(wanted.created_before, _FIRST) + _APART))
    if wanted.reference_prefix:
        # A range, which the index serves: LIKE would fold case on SQLite and need another index on PostgreSQL.
        prefix = wanted.reference_prefix
        query = query.where(ORDERS.c.reference >= prefix, ORDERS.c.reference < _after_all(prefix))
    if wanted.tax_differs:
        query = query.where(ORDERS.c.tax_difference != 0)
    if wanted.alerted:
        query = query.where(ORDERS.c.alerts.is_not(None))
    return orders_of(connection, query)


def _after_all(prefix: str) -> str:
    """Return the first text after all that begin with the prefix."""
    return f"{prefix}\U0010ffff"


def journal_of(connection: Connection, order_id: str) -> Story | None:
    """Return the order with its events, oldest first, its tasks, and when it is looked at next; None without it."""
    order = order_of(connection, order_id)
    if order is None:
        return None
    events = (
        select(ORDER_EVENTS)
        .where(ORDER_EVENTS.c.order_id == order_id)
        .order_by(ORDER_EVENTS.c.at, ORDER_EVENTS.c.version)
    )
    tasks = select(ORDER_TASKS).where(ORDER_TASKS.c.order_id == order_id).order_by(ORDER_TASKS.c.kind)
    wake_at = connection.execute(select(ORDERS.c.wake_at).where(ORDERS.c.order_id == order_id)).scalar()
    return Story(
        order,
        [rows.event_from_row(row) for row in connection.execute(events)],
        [rows.task_from_row(row) for row in connection.execute(tasks)],
        None if wake_at is None else from_ms(wake_at),
    )


def standings_of(connection: Connection, order_ids: Collection[str]) -> dict[str, Standing]:
    """Return the orders of these ids that there are, each with who is at it."""
    held = and_(ORDERS.c.lease_owner.is_not(None), ORDERS.c.wake_at > database_now())
    leases = select(ORDERS.c.order_id, ORDERS.c.wake_at, held.label("held")).where(ORDERS.c.order_id.in_(order_ids))
    free = or_(ORDER_TASKS.c.lease_owner.is_(None), ORDER_TASKS.c.due_at <= database_now())
    tasks = select(ORDER_TASKS).where(ORDER_TASKS.c.order_id.in_(order_ids), ORDER_TASKS.c.done.is_(False), free)
    waiting: defaultdict[str, list[Task]] = defaultdict(list)
    for row in connection.execute(tasks.order_by(ORDER_TASKS.c.kind)):
        waiting[row.order_id].append(rows.task_from_row(row))
    orders = orders_by_id(connection, order_ids)
    return {
        row.order_id: Standing(
            orders[row.order_id],
            None if row.wake_at is None else from_ms(row.wake_at),
            bool(row.held),
            waiting[row.order_id],
        )
        for row in connection.execute(leases)
    }


def due(connection: Connection) -> tuple[Due, int]:
    """Return what there is to take up, and the database's time in milliseconds since 1970."""
    found = connection.execute(_DUE).one()
    return Due(bool(found.orders), bool(found.tasks)), found.now


def backlog(connection: Connection) -> Backlog:
    """Return what is not finished."""
    found = connection.execute(_BACKLOG).one()
    orders = [created_at for created_at in (found.pending, found.waiting) if created_at is not None]
    return Backlog(
        found.tasks,
        _age(found.oldest_task, found.now),
        found.in_review,
        _age(min(orders, default=None), found.now),
    )


def counted(connection: Connection, since: datetime, most: int) -> Counted:
    """Return how many orders there are in each state, how many were placed since a moment, and what is not finished."""
    found = connection.execute(_BY_STATE, {"most": most + 1}).mappings().one()
    states = {State(state): orders for state, orders in found.items() if orders}
    placed = connection.execute(_PLACED, {"first": least_id_at(since)}).scalar_one()
    waiting = backlog(connection)
    return Counted(
        states,
        most,
        placed,
        waiting.in_review,
        waiting.tasks,
        waiting.oldest_task_seconds,
        waiting.oldest_order_seconds,
    )


def _age(since_ms: int | None, now_ms: int) -> float:
    return 0.0 if since_ms is None else max(0, now_ms - since_ms) / 1000
