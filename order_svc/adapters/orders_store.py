"""Orders in SQLite or PostgreSQL, through the group commit."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from chassis.storage.changes import Absent, Change, CommitUnknown, Conflict, Expect, Insert, StorageUnavailable, Update
from chassis.storage.request_keys import RequestKey, find_request
from chassis.storage.store import Store, database_now
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from order_svc.adapters import rows
from order_svc.adapters.tables import ORDER_EVENTS, ORDER_ITEMS, ORDER_TASKS, ORDERS, REQUEST_KEYS
from order_svc.app.ports import InDoubt, Moved, OrderFilter, Request
from order_svc.domain.order import Event, Order, Task, TaskKind
from order_svc.domain.saga import Transition, next_step

T = TypeVar("T")

_METHOD = "PlaceOrder"


class OrdersStore:
    """The port `Orders` on a Store.

    Args:
        store: Where the tables are.
        clock: The time.
        replica: What tells this replica from all others that live now: where it listens.
        life: What tells this life of it from its earlier ones.
    """

    def __init__(self, store: Store, clock: Clock, replica: str, life: str) -> None:
        self._store = store
        self._clock = clock
        self._replica = replica
        self._owner = f"{replica}#{life}"
        # The database's clock less ours, in milliseconds; leases are written and judged by the database's.
        self._offset_ms = 0

    async def create(self, order: Order, request: Request, event: Event, lease_seconds: float) -> bool:
        """Store a new order, leased to this replica; False when the request's key was used before."""
        key = {"caller": request.caller, "method": _METHOD, "request_id": request.request_id}
        row = {**rows.fixed_columns(order), **rows.moving_columns(order), **self._leased(lease_seconds)}
        created_at = row["created_at"]
        change = Change(
            guards=(Absent(REQUEST_KEYS, key),),
            writes=(
                Insert(
                    REQUEST_KEYS,
                    {
                        **key,
                        "fingerprint": request.fingerprint,
                        "subject_id": order.order_id,
                        "created_at": created_at,
                    },
                ),
                Insert(ORDERS, row),
                *(Insert(ORDER_ITEMS, item) for item in rows.item_rows(order)),
                Insert(ORDER_EVENTS, rows.event_row(order.order_id, event)),
            ),
        )
        try:
            await self._commit(change)
        except Conflict:
            return False
        return True

    async def find(self, request: Request) -> tuple[str, Order] | None:
        """Return the fingerprint and the order of an earlier use of the key."""
        key = RequestKey(request.caller, _METHOD, request.request_id, request.fingerprint)

        def body(connection: Connection) -> tuple[str, Order] | None:
            found = find_request(connection, REQUEST_KEYS, key)
            if found is None:
                return None
            fingerprint, order_id = found
            (order,) = _orders(connection, select(ORDERS).where(ORDERS.c.order_id == order_id))
            return fingerprint, order

        return await self._read(body)

    async def move(self, transition: Transition, event: Event | None, lease_seconds: float) -> None:
        """Commit a transition of an order that is leased to this replica, with its journal entry if there is one."""
        order = transition.order
        lease: dict[str, object]
        if transition.wake_at is not None:
            lease = {"lease_owner": None, "wake_at": rows.to_ms(transition.wake_at) + self._offset_ms}
        elif next_step(order) is None:
            lease = {"lease_owner": None, "wake_at": None}
        else:
            lease = self._leased(lease_seconds)
        change = Change(
            guards=(Expect(ORDERS, order.order_id, order.fence - 1),),
            writes=(
                Update(ORDERS, {"order_id": order.order_id}, {**rows.moving_columns(order), **lease}),
                *(() if event is None else (Insert(ORDER_EVENTS, rows.event_row(order.order_id, event)),)),
                *(self._new_task(order, kind, lease_seconds) for kind in transition.tasks),
            ),
        )
        try:
            await self._commit(change)
        except Conflict as conflict:
            raise Moved from conflict

    async def get(self, order_id: str) -> Order | None:
        """Return the order."""
        query = select(ORDERS).where(ORDERS.c.order_id == order_id)
        found = await self._read(lambda connection: _orders(connection, query))
        return found[0] if found else None

    async def page(self, wanted: OrderFilter, after: str, limit: int) -> Sequence[Order]:
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
        return await self._read(lambda connection: _orders(connection, query))

    async def journal(self, order_id: str) -> tuple[Sequence[Event], Sequence[Task], datetime | None]:
        """Return the events, oldest first, the tasks, and when the order is looked at next."""
        events = (
            select(ORDER_EVENTS)
            .where(ORDER_EVENTS.c.order_id == order_id)
            .order_by(ORDER_EVENTS.c.at, ORDER_EVENTS.c.version)
        )
        tasks = select(ORDER_TASKS).where(ORDER_TASKS.c.order_id == order_id).order_by(ORDER_TASKS.c.kind)
        wake = select(ORDERS.c.wake_at).where(ORDERS.c.order_id == order_id)

        def body(connection: Connection) -> tuple[Sequence[Event], Sequence[Task], datetime | None]:
            wake_at = connection.execute(wake).scalar()
            return (
                [rows.event_from_row(row) for row in connection.execute(events)],
                [rows.task_from_row(row) for row in connection.execute(tasks)],
                None if wake_at is None else rows.from_ms(wake_at),
            )

        return await self._read(body)

    async def claim_orders(self, limit: int, lease_seconds: float) -> Sequence[Order]:
        """Lease orders whose time has come to this replica, and return them."""
        due = select(ORDERS.c.order_id).where(ORDERS.c.wake_at <= database_now()).limit(1)
        if await self._read(lambda connection: connection.execute(due).first()) is None:
            return []
        return await self._transact(lambda connection: self._claim_orders(connection, limit, lease_seconds))

    async def claim_tasks(self, limit: int, lease_seconds: float) -> Sequence[tuple[Task, Order]]:
        """Lease tasks whose time has come to this replica, and return them with their orders."""
        due = select(ORDER_TASKS.c.task_id).where(ORDER_TASKS.c.due_at <= database_now()).limit(1)
        if await self._read(lambda connection: connection.execute(due).first()) is None:
            return []
        return await self._transact(lambda connection: self._claim_tasks(connection, limit, lease_seconds))

    async def finish_task(self, task: Task, event: Event | None) -> None:
        """Store what became of a task; nothing happens when another replica has taken it over."""
        task_id = rows.task_id(task.order_id, task.kind)
        due_at = None if task.due_at is None else rows.to_ms(task.due_at) + self._offset_ms
        values = {
            "version": task.version,
            "attempts": task.attempts,
            "lease_owner": None,
            "due_at": due_at,
            "done": task.done,
            "result": task.result,
            "last_error": task.last_error,
        }
        writes: list[Insert | Update] = [Update(ORDER_TASKS, {"task_id": task_id}, values)]
        if task.done and task.kind is TaskKind.COMMIT_TAX:
            writes.append(Update(ORDERS, {"order_id": task.order_id}, {"tax_document": task.result}))
        if event is not None:
            writes.append(Insert(ORDER_EVENTS, rows.event_row(task.order_id, event)))
        change = Change(guards=(Expect(ORDER_TASKS, task_id, task.version - 1),), writes=tuple(writes))
        try:
            await self._commit(change)
        except Conflict:
            return

    async def release_own(self) -> None:
        """Give up the leases that an earlier life of this replica still holds, so that they are claimed at once."""
        earlier = f"{self._replica}#"

        def body(connection: Connection) -> None:
            connection.execute(
                update(ORDERS)
                .where(ORDERS.c.lease_owner.startswith(earlier, autoescape=True), ORDERS.c.lease_owner != self._owner)
                .values(lease_owner=None, wake_at=database_now())
            )
            connection.execute(
                update(ORDER_TASKS)
                .where(
                    ORDER_TASKS.c.lease_owner.startswith(earlier, autoescape=True),
                    ORDER_TASKS.c.lease_owner != self._owner,
                )
                .values(lease_owner=None, due_at=database_now())
            )

        await self._transact(body)

    async def waiting(self) -> tuple[int, float]:
        """Return how many tasks wait and the age of the oldest in seconds."""
        query = select(
            func.count(ORDER_TASKS.c.task_id),
            func.min(ORDER_TASKS.c.created_at),
            select(database_now()).scalar_subquery(),
        ).where(ORDER_TASKS.c.due_at.is_not(None))
        count, oldest, now = await self._read(lambda connection: connection.execute(query).one())
        self._offset_ms = now - rows.to_ms(self._clock.now())
        return count, 0.0 if oldest is None else max(0, now - oldest) / 1000

    def _leased(self, lease_seconds: float) -> dict[str, object]:
        ends = rows.to_ms(self._clock.now()) + self._offset_ms + int(lease_seconds * 1000)
        return {"lease_owner": self._owner, "wake_at": ends}

    def _new_task(self, order: Order, kind: TaskKind, lease_seconds: float) -> Insert:
        lease = self._leased(lease_seconds)
        return Insert(
            ORDER_TASKS,
            {
                "task_id": rows.task_id(order.order_id, kind),
                "order_id": order.order_id,
                "kind": kind.value,
                "version": 1,
                "attempts": 0,
                "lease_owner": lease["lease_owner"],
                "due_at": lease["wake_at"],
                "done": False,
                "result": "",
                "last_error": "",
                "created_at": rows.to_ms(order.updated_at),
            },
        )

    def _claim_orders(self, connection: Connection, limit: int, lease_seconds: float) -> list[Order]:
        due = (
            select(ORDERS)
            .where(ORDERS.c.wake_at <= database_now())
            .order_by(ORDERS.c.wake_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claimed = [replace(order, fence=order.fence + 1) for order in _orders(connection, due)]
        if claimed:
            connection.execute(
                update(ORDERS)
                .where(ORDERS.c.order_id == bindparam("key"))
                .values(
                    version=bindparam("fence"),
                    lease_owner=self._owner,
                    wake_at=database_now() + int(lease_seconds * 1000),
                ),
                [{"key": order.order_id, "fence": order.fence} for order in claimed],
            )
        return claimed

    def _claim_tasks(self, connection: Connection, limit: int, lease_seconds: float) -> list[tuple[Task, Order]]:
        due = (
            select(ORDER_TASKS)
            .where(ORDER_TASKS.c.due_at <= database_now())
            .order_by(ORDER_TASKS.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        tasks = [rows.task_from_row(row) for row in connection.execute(due)]
        if not tasks:
            return []
        connection.execute(
            update(ORDER_TASKS)
            .where(ORDER_TASKS.c.task_id == bindparam("key"))
            .values(
                version=bindparam("to_version"),
                lease_owner=self._owner,
                due_at=database_now() + int(lease_seconds * 1000),
            ),
            [{"key": rows.task_id(task.order_id, task.kind), "to_version": task.version + 1} for task in tasks],
        )
        wanted = select(ORDERS).where(ORDERS.c.order_id.in_({task.order_id for task in tasks}))
        orders = {order.order_id: order for order in _orders(connection, wanted)}
        return [(replace(task, version=task.version + 1), orders[task.order_id]) for task in tasks]

    async def _commit(self, change: Change) -> None:
        with _refusing():
            await self._store.commit(change)

    async def _read(self, body: Callable[[Connection], T]) -> T:
        with _refusing():
            return await self._store.read(body)

    async def _transact(self, body: Callable[[Connection], T]) -> T:
        with _refusing():
            return await self._store.transact(body)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn the storage's troubles into our own words."""
    try:
        yield
    except StorageUnavailable as error:
        raise Refusal(
            Reason.UNAVAILABLE, "The order database cannot be reached; try again.", retry_after=1.0
        ) from error
    except CommitUnknown as error:
        raise InDoubt from error


def _orders(connection: Connection, query: Select[Any]) -> list[Order]:
    """Return the orders that a query of whole rows of `orders` finds, each with its items."""
    found = connection.execute(query).all()
    if not found:
        return []
    items: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    wanted = (
        select(ORDER_ITEMS)
        .where(ORDER_ITEMS.c.order_id.in_([row.order_id for row in found]))
        .order_by(ORDER_ITEMS.c.order_id, ORDER_ITEMS.c.position)
    )
    for item in connection.execute(wanted):
        items[item.order_id].append(item)
    return [rows.order_from_rows(row, items[row.order_id]) for row in found]
