"""Orders in SQLite or PostgreSQL, through the group commit."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)

from chassis.storage.changes import Absent, Change, CommitUnknown, Conflict, Expect, Insert, StorageUnavailable, Update
from chassis.storage.request_keys import RequestKey, find_request
from chassis.storage.store import Store, database_now
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.request import Request
from order_svc.adapters import rows
from order_svc.adapters.tables import ORDER_EVENTS, ORDER_ITEMS, ORDER_TASKS, ORDERS, REQUEST_KEYS
from order_svc.app.ports import Backlog, Command, Due, InDoubt, Moved, OrderFilter
from order_svc.domain.order import Event, Order, State, Task, TaskKind
from order_svc.domain.retry import Standing
from order_svc.domain.saga import next_step
from order_svc.domain.transition import Transition

T = TypeVar("T")


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
        row = {**rows.fixed_columns(order), **rows.moving_columns(order), **self._leased(lease_seconds)}
        unused, key = _key(Command.PLACE, request, order, order.created_at)
        change = Change(
            guards=(unused,),
            writes=(
                key,
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

    async def find(self, request: Request, command: Command = Command.PLACE) -> tuple[str, Order] | None:
        """Return the fingerprint and the order of an earlier use of the key for the command."""
        key = RequestKey(request.caller, command.value, request.request_id, request.fingerprint)

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
        change = Change(
            guards=(Expect(ORDERS, order.order_id, order.fence - 1),),
            writes=(
                self._move(transition, lease_seconds),
                *(() if event is None else (Insert(ORDER_EVENTS, rows.event_row(order.order_id, event)),)),
                *(self._new_task(order, kind, lease_seconds) for kind in transition.tasks),
            ),
        )
        try:
            await self._commit(change)
        except Conflict as conflict:
            raise Moved from conflict

    async def take_up(self, transition: Transition, event: Event, tasks: Sequence[Task], request: Request) -> bool:
        """Commit a retry: the order moved, its tasks as they are then, and the key of the retry."""
        order = transition.order
        unused, key = _key(Command.RETRY, request, order, order.updated_at)
        change = Change(
            guards=(
                unused,
                Expect(ORDERS, order.order_id, order.fence - 1),
                *(Expect(ORDER_TASKS, rows.task_id(task.order_id, task.kind), task.version - 1) for task in tasks),
            ),
            writes=(
                key,
                # A retry never goes on by itself, so there is nothing to be leased.
                self._move(transition, 0.0),
                Insert(ORDER_EVENTS, rows.event_row(order.order_id, event)),
                *(self._task_as_it_is(task) for task in tasks),
            ),
        )
        try:
            await self._commit(change)
        except Conflict as conflict:
            if isinstance(conflict.guard, Expect):
                raise Moved from conflict
            return False
        return True

    async def get(self, order_id: str) -> Order | None:
        """Return the order."""
        query = select(ORDERS).where(ORDERS.c.order_id == order_id)
        found = await self._read(lambda connection: _orders(connection, query))
        return found[0] if found else None

    async def standings(self, order_ids: Collection[str]) -> Mapping[str, Standing]:
        """Return the orders of these ids that there are, each with who is at it."""
        held = and_(ORDERS.c.lease_owner.is_not(None), ORDERS.c.wake_at > database_now())
        leases = select(ORDERS.c.order_id, ORDERS.c.wake_at, held.label("held")).where(ORDERS.c.order_id.in_(order_ids))
        orders = select(ORDERS).where(ORDERS.c.order_id.in_(order_ids))
        free = or_(ORDER_TASKS.c.lease_owner.is_(None), ORDER_TASKS.c.due_at <= database_now())
        tasks = select(ORDER_TASKS).where(ORDER_TASKS.c.order_id.in_(order_ids), ORDER_TASKS.c.done.is_(False), free)

        def body(connection: Connection) -> dict[str, Standing]:
            waiting: defaultdict[str, list[Task]] = defaultdict(list)
            for row in connection.execute(tasks.order_by(ORDER_TASKS.c.kind)):
                waiting[row.order_id].append(rows.task_from_row(row))
            found = {order.order_id: order for order in _orders(connection, orders)}
            return {
                row.order_id: Standing(
                    found[row.order_id],
                    None if row.wake_at is None else rows.from_ms(row.wake_at),
                    bool(row.held),
                    waiting[row.order_id],
                )
                for row in connection.execute(leases)
            }

        return await self._read(body)

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

    async def due(self) -> Due:
        """Say what there is to take up: the one cheap read of an idle service."""

        def any_due(table: Table, time: ColumnElement[int]) -> ColumnElement[bool]:
            return select(table).where(time <= database_now()).exists()

        query = select(
            any_due(ORDERS, ORDERS.c.wake_at).label("orders"),
            any_due(ORDER_TASKS, ORDER_TASKS.c.due_at).label("tasks"),
            database_now().label("now"),
        )
        found = await self._read(lambda connection: connection.execute(query).one())
        self._offset_ms = found.now - rows.to_ms(self._clock.now())
        return Due(bool(found.orders), bool(found.tasks))

    async def claim_orders(self, limit: int, lease_seconds: float) -> Sequence[Order]:
        """Lease orders whose time has come to this replica, and return them."""
        return await self._transact(lambda connection: self._claim_orders(connection, limit, lease_seconds))

    async def claim_tasks(self, limit: int, lease_seconds: float) -> Sequence[tuple[Task, Order]]:
        """Lease tasks whose time has come to this replica, and return them with their orders."""
        return await self._transact(lambda connection: self._claim_tasks(connection, limit, lease_seconds))

    async def finish_task(self, task: Task, event: Event | None) -> None:
        """Store what became of a task; nothing happens when another replica has taken it over."""
        writes: list[Insert | Update] = [self._task_as_it_is(task)]
        if task.done and task.kind is TaskKind.COMMIT_TAX:
            writes.append(Update(ORDERS, {"order_id": task.order_id}, {"tax_document": task.result}))
        if event is not None:
            writes.append(Insert(ORDER_EVENTS, rows.event_row(task.order_id, event)))
        task_id = rows.task_id(task.order_id, task.kind)
        change = Change(guards=(Expect(ORDER_TASKS, task_id, task.version - 1),), writes=tuple(writes))
        try:
            await self._commit(change)
        except Conflict:
            return

    async def refuse_task(self, task: Task, event: Event) -> None:
        """Store that a task was refused for good, and mark its order for a person to look at, in one commit."""
        await self._transact(lambda connection: self._refuse_task(connection, task, event))

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

    async def backlog(self) -> Backlog:
        """Return what is not finished."""
        waiting = ORDER_TASKS.c.due_at.is_not(None)
        query = select(
            select(func.count()).select_from(ORDER_TASKS).where(waiting).scalar_subquery().label("tasks"),
            select(func.min(ORDER_TASKS.c.created_at)).where(waiting).scalar_subquery().label("oldest_task"),
            select(func.count()).select_from(ORDERS).where(ORDERS.c.needs_review).scalar_subquery().label("in_review"),
            _oldest(State.PENDING).label("pending"),
            _oldest(State.PAYMENT_ACTION_REQUIRED).label("waiting"),
            database_now().label("now"),
        )
        found = await self._read(lambda connection: connection.execute(query).one())
        orders = [created_at for created_at in (found.pending, found.waiting) if created_at is not None]
        return Backlog(
            found.tasks,
            _age(found.oldest_task, found.now),
            found.in_review,
            _age(min(orders, default=None), found.now),
        )

    def _move(self, transition: Transition, lease_seconds: float) -> Update:
        order = transition.order
        lease: dict[str, object]
        if transition.wake_at is not None:
            lease = {"lease_owner": None, "wake_at": rows.to_ms(transition.wake_at) + self._offset_ms}
        elif transition.parked or next_step(order) is None:
            lease = {"lease_owner": None, "wake_at": None}
        else:
            lease = self._leased(lease_seconds)
        return Update(ORDERS, {"order_id": order.order_id}, {**rows.moving_columns(order), **lease})

    def _task_as_it_is(self, task: Task) -> Update:
        values = {
            "version": task.version,
            "attempts": task.attempts,
            "lease_owner": None,
            "due_at": None if task.due_at is None else rows.to_ms(task.due_at) + self._offset_ms,
            "done": task.done,
            "result": task.result,
            "last_error": task.last_error,
        }
        return Update(ORDER_TASKS, {"task_id": rows.task_id(task.order_id, task.kind)}, values)

    def _refuse_task(self, connection: Connection, task: Task, event: Event) -> None:
        refused = self._task_as_it_is(task)
        held = (ORDER_TASKS.c.task_id == refused.key["task_id"]) & (ORDER_TASKS.c.version == task.version - 1)
        if connection.execute(update(ORDER_TASKS).where(held).values(refused.values)).rowcount == 0:
            return
        # The fence as well: whoever is about to move the order decided without knowing.
        marked = (
            update(ORDERS)
            .where(ORDERS.c.order_id == task.order_id)
            .values(needs_review=True, version=ORDERS.c.version + 1)
            .returning(ORDERS.c.revision)
        )
        version = connection.execute(marked).scalar_one()
        connection.execute(ORDER_EVENTS.insert(), rows.event_row(task.order_id, replace(event, version=version)))

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


def _key(command: Command, request: Request, order: Order, at: datetime) -> tuple[Absent, Insert]:
    """Return the guard that a key was not used yet, and its use."""
    key = {"caller": request.caller, "method": command.value, "request_id": request.request_id}
    used = {"fingerprint": request.fingerprint, "subject_id": order.order_id, "created_at": rows.to_ms(at)}
    return Absent(REQUEST_KEYS, key), Insert(REQUEST_KEYS, {**key, **used})


def _oldest(state: State) -> ScalarSelect[int]:
    """Return when the oldest order in a state was placed: ids are in order of time, and so is the index."""
    first = select(ORDERS.c.created_at).where(ORDERS.c.state == state.value).order_by(ORDERS.c.order_id).limit(1)
    return first.scalar_subquery()


def _age(since_ms: int | None, now_ms: int) -> float:
    return 0.0 if since_ms is None else max(0, now_ms - since_ms) / 1000


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
