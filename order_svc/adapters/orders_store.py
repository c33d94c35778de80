"""Orders in SQLite or PostgreSQL, through the group commit."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from chassis.storage.changes import Absent, Change, Conflict, Expect, Fewer, Insert, Update
from chassis.storage.request_keys import RequestKey, find_request
from chassis.storage.store import Store
from kernel.clock import Clock
from kernel.request import Request
from order_svc.adapters import order_claims, order_reads, rows, velocity_counts
from order_svc.adapters.columns_json import to_ms
from order_svc.adapters.order_reads import order_of
from order_svc.adapters.refusing import refusing
from order_svc.adapters.tables import ORDER_EVENTS, ORDER_ITEMS, ORDER_TASKS, ORDERS, REQUEST_KEYS
from order_svc.adapters.webhook_announcer import Announce, announce_nothing
from order_svc.app.ports import Backlog, Due, Moved, OrderFilter, Story, TooMany
from order_svc.domain.commands import Command
from order_svc.domain.order import Event, Order
from order_svc.domain.overview import Counted
from order_svc.domain.retry import Standing
from order_svc.domain.saga import next_step
from order_svc.domain.task import NewTask, Task, TaskKind
from order_svc.domain.tax import Recorded
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import Bound

T = TypeVar("T")


class OrdersStore:
    """The port `Orders` on a Store.

    Args:
        store: Where the tables are.
        clock: The time.
        replica: What tells this replica from all others that live now: where it listens.
        life: What tells this life of it from its earlier ones.
        announce: Makes what other systems are told of a journal entry, to be written in its commit.
    """

    def __init__(
        self, store: Store, clock: Clock, replica: str, life: str, announce: Announce = announce_nothing
    ) -> None:
        self._store = store
        self._clock = clock
        self._replica = replica
        self._owner = f"{replica}#{life}"
        self._announce = announce
        # The database's clock less ours, in milliseconds; leases are written and judged by the database's.
        self._offset_ms = 0

    async def create(
        self, order: Order, request: Request, event: Event, lease_seconds: float, bounds: Sequence[Bound] = ()
    ) -> bool:
        """Store a new order, leased to this replica; False when the request's key was used before."""
        row = {**rows.fixed_columns(order), **rows.moving_columns(order), **self._leased(lease_seconds)}
        unused, key = _key(Command.PLACE, request, order, order.created_at)
        change = Change(
            # The key first: an order that was accepted is answered, whatever its customer has done since.
            guards=(unused, *(velocity_counts.guard(bound, order.created_at) for bound in bounds)),
            writes=(
                key,
                Insert(ORDERS, row),
                *(Insert(ORDER_ITEMS, item) for item in rows.item_rows(order)),
                *self._told(order, event),
            ),
        )
        try:
            await self._commit(change)
        except Conflict as conflict:
            await self._tell_of(conflict, change, bounds)
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
            order = order_of(connection, order_id)
            assert order is not None, "it was stored in the commit of its key"
            return fingerprint, order

        return await self._read(body)

    async def move(self, transition: Transition, event: Event | None, lease_seconds: float) -> None:
        """Commit a transition of an order that is leased to this replica, with its journal entry if there is one."""
        order = transition.order
        change = Change(
            guards=(Expect(ORDERS, order.order_id, order.fence - 1),),
            writes=(
                self._move(transition, lease_seconds),
                *velocity_counts.declines(transition),
                *(() if event is None else self._told(order, event)),
                *(self._new_task(order, new, lease_seconds) for new in transition.tasks),
            ),
        )
        try:
            await self._commit(change)
        except Conflict as conflict:
            raise Moved from conflict

    async def obey(
        self,
        command: Command,
        request: Request,
        transition: Transition,
        event: Event,
        *,
        tasks: Sequence[Task] = (),
        bounds: Sequence[Bound] = (),
        lease_seconds: float = 0.0,
    ) -> bool:
        """Commit what a command makes of an order, with the command's key, and some of its tasks as they are then."""
        order = transition.order
        unused, key = _key(command, request, order, order.updated_at)
        change = Change(
            guards=(
                unused,
                Expect(ORDERS, order.order_id, order.fence - 1),
                *(Expect(ORDER_TASKS, _task_id(task), task.version - 1) for task in tasks),
                *(velocity_counts.guard(bound, order.updated_at) for bound in bounds),
            ),
            writes=(
                key,
                self._move(transition, lease_seconds),
                *self._told(order, event),
                *(self._new_task(order, new, lease_seconds) for new in transition.tasks),
                *(self._task_as_it_is(task) for task in tasks),
            ),
        )
        try:
            await self._commit(change)
        except Conflict as conflict:
            if isinstance(conflict.guard, Expect):
                raise Moved from conflict
            await self._tell_of(conflict, change, bounds)
            return False
        return True

    async def get(self, order_id: str, customer_id: str = "") -> Order | None:
        """Return the order; None as well when it is not that customer's, where one is named."""
        return await self._read(lambda connection: order_of(connection, order_id, customer_id))

    async def standings(self, order_ids: Collection[str]) -> Mapping[str, Standing]:
        """Return the orders of these ids that there are, each with who is at it."""
        return await self._read(lambda connection: order_reads.standings_of(connection, order_ids))

    async def page(self, wanted: OrderFilter, after: str, limit: int) -> Sequence[Order]:
        """Return orders, newest first, beginning below the order id `after`."""
        return await self._read(lambda connection: order_reads.page_of(connection, wanted, after, limit))

    async def journal(self, order_id: str) -> Story | None:
        """Return the order with all that is known of it, as it stood at one moment."""
        return await self._read(lambda connection: order_reads.journal_of(connection, order_id))

    async def due(self) -> Due:
        """Say what there is to take up: the one cheap read of an idle service."""
        found, now = await self._read(order_reads.due)
        self._offset_ms = now - to_ms(self._clock.now())
        return found

    async def claim_orders(self, limit: int, lease_seconds: float) -> Sequence[Order]:
        """Lease orders whose time has come to this replica, and return them."""
        return await self._transact(
            lambda connection: order_claims.claim_orders(connection, self._owner, limit, lease_seconds)
        )

    async def claim_tasks(self, limit: int, lease_seconds: float) -> Sequence[tuple[Task, Order]]:
        """Lease tasks whose time has come to this replica, and return them with their orders."""
        return await self._transact(
            lambda connection: order_claims.claim_tasks(connection, self._owner, limit, lease_seconds)
        )

    async def finish_task(self, task: Task, event: Event | None, recorded: Recorded | None = None) -> None:
        """Store what became of a task; nothing happens when another replica has taken it over."""
        if task.done and task.kind is TaskKind.REFUND_TAX:
            await self._transact(lambda connection: order_claims.finish_refund_tax(connection, task, event))
            return
        writes: list[Insert | Update] = [self._task_as_it_is(task)]
        if recorded is not None:
            document = {"tax_document": recorded.code, "tax_difference": recorded.difference.minor_units}
            writes.append(Update(ORDERS, {"order_id": task.order_id}, document))
        if event is not None:
            writes.append(Insert(ORDER_EVENTS, rows.event_row(task.order_id, event)))
        change = Change(guards=(Expect(ORDER_TASKS, _task_id(task), task.version - 1),), writes=tuple(writes))
        try:
            await self._commit(change)
        except Conflict:
            return

    async def refuse_task(self, task: Task, event: Event) -> None:
        """Store that a task was refused for good, and mark its order for a person to look at, in one commit."""
        await self._transact(lambda connection: order_claims.refuse_task(connection, task, event, self._announce))

    async def release_own(self) -> None:
        """Give up the leases that an earlier life of this replica still holds, so that they are claimed at once."""
        await self._transact(lambda connection: order_claims.release(connection, self._replica, self._owner))

    async def backlog(self) -> Backlog:
        """Return what is not finished."""
        return await self._read(order_reads.backlog)

    async def counted(self, since: datetime, most: int) -> Counted:
        """Return how many orders there are in each state, how many were placed since a moment, what is not finished."""
        return await self._read(lambda connection: order_reads.counted(connection, since, most))

    async def _tell_of(self, conflict: Conflict, change: Change, bounds: Sequence[Bound]) -> None:
        """Say which bound a change has met, if that is what kept it from being written.

        Raises:
            TooMany: It is.
        """
        failed = conflict.guard
        if not isinstance(failed, Fewer):
            return
        guards = [each for each in change.guards if isinstance(each, Fewer)]
        met = bounds[guards.index(failed)]
        first = await self._read(lambda connection: velocity_counts.oldest(connection, failed))
        raise TooMany(met, first or self._clock.now()) from conflict

    def _told(self, order: Order, event: Event) -> tuple[Insert, ...]:
        """Return a journal entry, and what others are told of it.

        Args:
            order: As it is after what the entry tells.
            event: The entry.
        """
        return Insert(ORDER_EVENTS, rows.event_row(order.order_id, event)), *self._announce(order, event)

    def _move(self, transition: Transition, lease_seconds: float) -> Update:
        order = transition.order
        lease: dict[str, object]
        if transition.wake_at is not None:
            lease = {"lease_owner": None, "wake_at": to_ms(transition.wake_at) + self._offset_ms}
        elif transition.parked or next_step(order) is None:
            lease = {"lease_owner": None, "wake_at": None}
        else:
            lease = self._leased(lease_seconds)
        return Update(ORDERS, {"order_id": order.order_id}, {**rows.moving_columns(order), **lease})

    def _task_as_it_is(self, task: Task) -> Update:
        due_at = None if task.due_at is None else to_ms(task.due_at) + self._offset_ms
        return Update(ORDER_TASKS, {"task_id": _task_id(task)}, rows.task_columns(task, due_at))

    def _leased(self, lease_seconds: float) -> dict[str, object]:
        ends = to_ms(self._clock.now()) + self._offset_ms + int(lease_seconds * 1000)
        return {"lease_owner": self._owner, "wake_at": ends}

    def _new_task(self, order: Order, new: NewTask, lease_seconds: float) -> Insert:
        lease = self._leased(lease_seconds)
        if new.delay:
            lease = {"lease_owner": None, "wake_at": to_ms(order.updated_at + new.delay) + self._offset_ms}
        return Insert(
            ORDER_TASKS,
            {
                "task_id": rows.task_id(order.order_id, new.kind, new.number),
                "order_id": order.order_id,
                "kind": new.kind.value,
                "number": new.number,
                "version": 1,
                "attempts": 0,
                "lease_owner": lease["lease_owner"],
                "due_at": lease["wake_at"],
                "done": False,
                "result": "",
                "last_error": "",
                "created_at": to_ms(order.updated_at),
            },
        )

    async def _commit(self, change: Change) -> None:
        with refusing():
            await self._store.commit(change)

    async def _read(self, body: Callable[[Connection], T]) -> T:
        with refusing():
            return await self._store.read(body)

    async def _transact(self, body: Callable[[Connection], T]) -> T:
        with refusing():
            return await self._store.transact(body)


def _task_id(task: Task) -> str:
    return rows.task_id(task.order_id, task.kind, task.number)


def _key(command: Command, request: Request, order: Order, at: datetime) -> tuple[Absent, Insert]:
    """Return the guard that a key was not used yet, and its use."""
    key = {"caller": request.caller, "method": command.value, "request_id": request.request_id}
    used = {"fingerprint": request.fingerprint, "subject_id": order.order_id, "created_at": to_ms(at)}
    return Absent(REQUEST_KEYS, key), Insert(REQUEST_KEYS, {**key, **used})
