"""Who works on what: statements that lease orders and tasks, and give them up. Each needs a transaction of its own."""

from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, Select, Table, bindparam, select, update

from chassis.storage.store import database_now
from order_svc.adapters import rows
from order_svc.adapters.columns_json import documents_from_json, documents_to_json
from order_svc.adapters.order_reads import order_of, orders_by_id, orders_of
from order_svc.adapters.tables import ORDER_EVENTS, ORDER_TASKS, ORDERS
from order_svc.adapters.webhook_announcer import Announce
from order_svc.domain.order import Event, Order
from order_svc.domain.task import Task


def _longest_due(table: Table, time: Column[int]) -> Select[Any]:
    due = select(table).where(time <= database_now()).order_by(time).limit(bindparam("limit", type_=Integer))
    return due.with_for_update(skip_locked=True)


# Built once, as those of order_reads.py.
_DUE_ORDERS = _longest_due(ORDERS, ORDERS.c.wake_at)
_DUE_TASKS = _longest_due(ORDER_TASKS, ORDER_TASKS.c.due_at)
_LEASE_ENDS = database_now() + bindparam("lease_ms", type_=BigInteger)
_LEASE_ORDER = (
    update(ORDERS)
    .where(ORDERS.c.order_id == bindparam("key"))
    .values(version=bindparam("to_version"), lease_owner=bindparam("owner"), wake_at=_LEASE_ENDS)
)
_LEASE_TASK = (
    update(ORDER_TASKS)
    .where(ORDER_TASKS.c.task_id == bindparam("key"))
    .values(version=bindparam("to_version"), lease_owner=bindparam("owner"), due_at=_LEASE_ENDS)
)


def claim_orders(connection: Connection, owner: str, limit: int, lease_seconds: float) -> list[Order]:
    """Lease the orders that are due longest, at most `limit`, and return them with their new fences."""
    found = orders_of(connection, _DUE_ORDERS, {"limit": limit})
    claimed = [replace(order, fence=order.fence + 1) for order in found]
    if claimed:
        lease = {"owner": owner, "lease_ms": int(lease_seconds * 1000)}
        leases = [{"key": order.order_id, "to_version": order.fence, **lease} for order in claimed]
        connection.execute(_LEASE_ORDER, leases)
    return claimed


def claim_tasks(connection: Connection, owner: str, limit: int, lease_seconds: float) -> list[tuple[Task, Order]]:
    """Lease the tasks that are due longest, at most `limit`, and return them with their orders."""
    found = [rows.task_from_row(row) for row in connection.execute(_DUE_TASKS, {"limit": limit})]
    if not found:
        return []
    tasks = [replace(task, version=task.version + 1) for task in found]
    lease = {"owner": owner, "lease_ms": int(lease_seconds * 1000)}
    leases = [
        {"key": rows.task_id(task.order_id, task.kind, task.number), "to_version": task.version, **lease}
        for task in tasks
    ]
    connection.execute(_LEASE_TASK, leases)
    orders = orders_by_id(connection, {task.order_id for task in tasks})
    return [(task, orders[task.order_id]) for task in tasks]


def refuse_task(connection: Connection, task: Task, event: Event, announce: Announce) -> None:
    """Store that a task was refused for good, and mark its order, unless somebody else has the task by now."""
    ours = ORDER_TASKS.c.task_id == rows.task_id(task.order_id, task.kind, task.number)
    refused = update(ORDER_TASKS).where(ours, ORDER_TASKS.c.version == task.version - 1)
    if connection.execute(refused.values(rows.task_columns(task, None))).rowcount == 0:
        return
    # The fence as well: whoever is about to move the order decided without knowing.
    marked = (
        update(ORDERS)
        .where(ORDERS.c.order_id == task.order_id)
        .values(needs_review=True, version=ORDERS.c.version + 1)
        .returning(ORDERS.c.revision)
    )
    version = connection.execute(marked).scalar_one()
    told = replace(event, version=version)
    connection.execute(ORDER_EVENTS.insert(), rows.event_row(task.order_id, told))
    order = order_of(connection, task.order_id)
    assert order is not None, "it was just marked"
    for message in announce(order, told):
        connection.execute(message.table.insert(), dict(message.row))


def finish_refund_tax(connection: Connection, task: Task, event: Event | None) -> None:
    """Store that a refund's tax document is there, beside those of the order's other refunds.

    Nothing happens when somebody else has the task by now. The order's fence stays: whoever works on it writes other
    columns.
    """
    ours = ORDER_TASKS.c.task_id == rows.task_id(task.order_id, task.kind, task.number)
    finished = update(ORDER_TASKS).where(ours, ORDER_TASKS.c.version == task.version - 1)
    if connection.execute(finished.values(rows.task_columns(task, None))).rowcount == 0:
        return
    order = ORDERS.c.order_id == task.order_id
    column = connection.execute(select(ORDERS.c.refund_documents).where(order).with_for_update()).scalar_one()
    documents = {**documents_from_json(column), task.number: task.result}
    connection.execute(update(ORDERS).where(order).values(refund_documents=documents_to_json(documents)))
    if event is not None:
        connection.execute(ORDER_EVENTS.insert(), rows.event_row(task.order_id, event))


def release(connection: Connection, replica: str, owner: str) -> None:
    """Give up the leases of a replica's earlier lives.

    Args:
        connection: In a transaction.
        replica: Its name.
        owner: Its present life, which keeps its own.
    """
    earlier = f"{replica}#"
    # What is leased has a time when that ends, and what has such a time is in a small index: nothing else is read.
    connection.execute(
        update(ORDERS)
        .where(
            ORDERS.c.wake_at.is_not(None),
            ORDERS.c.lease_owner.startswith(earlier, autoescape=True),
            ORDERS.c.lease_owner != owner,
        )
        .values(lease_owner=None, wake_at=database_now())
    )
    connection.execute(
        update(ORDER_TASKS)
        .where(
            ORDER_TASKS.c.due_at.is_not(None),
            ORDER_TASKS.c.lease_owner.startswith(earlier, autoescape=True),
            ORDER_TASKS.c.lease_owner != owner,
        )
        .values(lease_owner=None, due_at=database_now())
    )
