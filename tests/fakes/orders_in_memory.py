"""The port `Orders` in memory, with a clock of its own and a database that outlives the replicas that use it."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.ids import least_id_at
from kernel.request import Request
from order_svc.app.ports import Backlog, Due, InDoubt, Moved, OrderFilter, Story, TooMany
from order_svc.domain import velocity
from order_svc.domain.commands import Command
from order_svc.domain.order import Event, Order, State
from order_svc.domain.overview import Counted
from order_svc.domain.retry import Standing
from order_svc.domain.saga import next_step
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.tax import Recorded
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import WINDOW, Bound, subjects

K = TypeVar("K")


class Trouble(Enum):
    """What goes wrong with one call."""

    AWAY = auto()
    """The database cannot be reached; nothing is written."""
    CUT_BEFORE = auto()
    """The connection is cut around COMMIT, and nothing was written."""
    CUT_AFTER = auto()
    """The connection is cut around COMMIT, and everything was written."""
    PAUSED = auto()
    """The process stands still for a minute after its commit, without knowing."""
    OVERTAKEN = auto()
    """The same as before, nothing written; and before anybody looks, another replica claims the order."""


@dataclass
class Row:
    """What the database keeps of an order, or of a task, besides itself."""

    owner: str = ""
    due: datetime | None = None


@dataclass
class Database:
    """What is stored, whoever stored it."""

    orders: dict[str, Order] = field(default_factory=dict)
    order_rows: defaultdict[str, Row] = field(default_factory=lambda: defaultdict(Row))
    keys: dict[tuple[Command, str, str], tuple[str, str]] = field(default_factory=dict)
    events: defaultdict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    declines: defaultdict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    tasks: dict[tuple[str, str], Task] = field(default_factory=dict)
    task_rows: defaultdict[tuple[str, str], Row] = field(default_factory=lambda: defaultdict(Row))
    born: dict[tuple[str, str], datetime] = field(default_factory=dict)


class FakeOrders:
    """One replica's view of the database.

    Attributes:
        trouble: What the next calls of each method meet, in order; None for a call that goes well.
    """

    def __init__(self, database: Database, clock: Clock, replica: str = "here", life: str = "1") -> None:
        self.trouble: defaultdict[str, deque[Trouble | None]] = defaultdict(deque)
        self._database = database
        self._clock = clock
        self._replica = replica
        self._owner = f"{replica}#{life}"
        self._paused = False

    async def create(
        self, order: Order, request: Request, event: Event, lease_seconds: float, bounds: Sequence[Bound] = ()
    ) -> bool:
        cut = await self._begin("create")
        key = (Command.PLACE, request.caller, request.request_id)
        fresh = key not in self._database.keys
        if fresh:
            self._keep_within(bounds, order.created_at)
            self._database.keys[key] = (request.fingerprint, order.order_id)
            self._database.orders[order.order_id] = order
            self._database.order_rows[order.order_id] = Row(self._owner, self._in(lease_seconds))
            self._database.events[order.order_id].append(event)
        if cut:
            raise InDoubt
        return fresh

    async def find(self, request: Request, command: Command = Command.PLACE) -> tuple[str, Order] | None:
        await self._begin("find")
        found = self._database.keys.get((command, request.caller, request.request_id))
        return None if found is None else (found[0], self._database.orders[found[1]])

    async def move(self, transition: Transition, event: Event | None, lease_seconds: float) -> None:
        order, database = transition.order, self._database
        if list(self.trouble["move"])[:1] == [Trouble.OVERTAKEN]:
            database.order_rows[order.order_id] = Row("other#1", self._in(lease_seconds))
            database.orders[order.order_id] = replace(database.orders[order.order_id], fence=order.fence)
        cut = await self._begin("move")
        if database.orders[order.order_id].fence != order.fence - 1:
            raise Moved
        self._put(transition, lease_seconds)
        if event is not None:
            database.events[order.order_id].append(event)
        if self._paused:
            await self._clock.sleep(60)
        if cut:
            raise InDoubt

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
        order, database = transition.order, self._database
        cut = await self._begin("obey")
        key = (command, request.caller, request.request_id)
        if key in database.keys:
            return False
        earlier = [database.tasks[task.order_id, task.name].version == task.version - 1 for task in tasks]
        if database.orders[order.order_id].fence != order.fence - 1 or not all(earlier):
            raise Moved
        self._keep_within(bounds, order.updated_at)
        database.keys[key] = (request.fingerprint, order.order_id)
        self._put(transition, lease_seconds)
        database.events[order.order_id].append(event)
        for task in tasks:
            database.tasks[task.order_id, task.name] = task
            database.task_rows[task.order_id, task.name] = Row(due=task.due_at)
        if cut:
            raise InDoubt
        return True

    async def get(self, order_id: str, customer_id: str = "") -> Order | None:
        await self._begin("get")
        order = self._database.orders.get(order_id)
        foreign = order is not None and customer_id not in {"", order.draft.customer.customer_id}
        return None if foreign else order

    async def standings(self, order_ids: Collection[str]) -> Mapping[str, Standing]:
        await self._begin("standings")
        return {order_id: self._standing(order_id) for order_id in order_ids if order_id in self._database.orders}

    async def page(self, wanted: OrderFilter, after: str, limit: int) -> Sequence[Order]:
        await self._begin("page")
        found = [
            order
            for order in self._database.orders.values()
            if (not after or order.order_id < after)
            and wanted.customer_id in {"", order.draft.customer.customer_id}
            and wanted.state in {None, order.state}
            and (order.needs_review or not wanted.needs_review)
            and (wanted.created_from is None or order.created_at >= wanted.created_from)
            and (wanted.created_before is None or order.created_at < wanted.created_before)
            and order.terms.reference.startswith(wanted.reference_prefix)
            and (not wanted.tax_differs or bool(order.tax_difference and order.tax_difference.minor_units))
            and (not wanted.alerted or bool(order.alerts))
        ]
        return sorted(found, key=lambda order: order.order_id, reverse=True)[:limit]

    async def journal(self, order_id: str) -> Story | None:
        await self._begin("journal")
        order = self._database.orders.get(order_id)
        if order is None:
            return None
        tasks = [
            replace(task, due_at=self._database.task_rows[key].due)
            for key, task in sorted(self._database.tasks.items())
            if task.order_id == order_id
        ]
        events = sorted(self._database.events[order_id], key=lambda event: (event.at, event.version))
        return Story(order, events, tasks, self._database.order_rows[order_id].due)

    async def due(self) -> Due:
        await self._begin("due")
        return Due(bool(self._due(self._database.order_rows, 1)), bool(self._due(self._database.task_rows, 1)))

    async def claim_orders(self, limit: int, lease_seconds: float) -> Sequence[Order]:
        cut = await self._begin("claim_orders")
        claimed = []
        for order_id in self._due(self._database.order_rows, limit):
            order = self._database.orders[order_id]
            self._database.orders[order_id] = replace(order, fence=order.fence + 1)
            self._database.order_rows[order_id] = Row(self._owner, self._in(lease_seconds))
            claimed.append(self._database.orders[order_id])
        if cut:
            raise InDoubt
        return claimed

    async def claim_tasks(self, limit: int, lease_seconds: float) -> Sequence[tuple[Task, Order]]:
        cut = await self._begin("claim_tasks")
        claimed = []
        for key in self._due(self._database.task_rows, limit):
            task = replace(self._database.tasks[key], version=self._database.tasks[key].version + 1)
            self._database.tasks[key] = task
            self._database.task_rows[key] = Row(self._owner, self._in(lease_seconds))
            claimed.append((task, self._database.orders[task.order_id]))
        if cut:
            raise InDoubt
        return claimed

    async def finish_task(self, task: Task, event: Event | None, recorded: Recorded | None = None) -> None:
        cut = await self._begin("finish_task")
        key = (task.order_id, task.name)
        if self._database.tasks[key].version != task.version - 1:
            return
        self._database.tasks[key] = task
        self._database.task_rows[key] = Row(due=task.due_at)
        order = self._database.orders[task.order_id]
        if task.done and task.kind is TaskKind.REFUND_TAX:
            documents = {**order.refund_documents, task.number: task.result}
            self._database.orders[task.order_id] = replace(order, refund_documents=documents)
        elif recorded is not None:
            recorded_of = replace(order, tax_document=recorded.code, tax_difference=recorded.difference)
            self._database.orders[task.order_id] = recorded_of
        if event is not None:
            self._database.events[task.order_id].append(event)
        if cut:
            raise InDoubt

    async def refuse_task(self, task: Task, event: Event) -> None:
        cut = await self._begin("refuse_task")
        key = (task.order_id, task.name)
        if self._database.tasks[key].version != task.version - 1:
            return
        self._database.tasks[key] = task
        self._database.task_rows[key] = Row()
        order = self._database.orders[task.order_id]
        self._database.orders[task.order_id] = replace(order, needs_review=True, fence=order.fence + 1)
        self._database.events[task.order_id].append(replace(event, version=order.version))
        if cut:
            raise InDoubt

    async def release_own(self) -> None:
        await self._begin("release_own")
        for rows in (self._database.order_rows, self._database.task_rows):
            for row in rows.values():
                if row.owner.startswith(f"{self._replica}#") and row.owner != self._owner:
                    row.owner, row.due = "", self._clock.now()

    async def backlog(self) -> Backlog:
        await self._begin("backlog")
        orders = self._database.orders.values()
        tasks = [self._database.born[key] for key, row in self._database.task_rows.items() if row.due is not None]
        unsettled = {State.PENDING, State.PAYMENT_ACTION_REQUIRED}
        return Backlog(
            len(tasks),
            self._age(tasks),
            sum(order.needs_review for order in orders),
            self._age([order.created_at for order in orders if order.state in unsettled]),
        )

    async def counted(self, since: datetime, most: int) -> Counted:
        waiting = await self.backlog()
        orders = self._database.orders.values()
        return Counted(
            {state: min(found, most + 1) for state, found in Counter(order.state for order in orders).items()},
            most,
            sum(order.order_id >= least_id_at(since) for order in orders),
            waiting.in_review,
            waiting.tasks,
            waiting.oldest_task_seconds,
            waiting.oldest_order_seconds,
        )

    def _keep_within(self, bounds: Sequence[Bound], now: datetime) -> None:
        for bound in bounds:
            if bound.counted is velocity.Counted.ORDERS:
                orders = self._database.orders.values()
                times = [each.created_at for each in orders if each.draft.customer.customer_id == bound.subject]
            else:
                times = self._database.declines[bound.subject]
            counted = [at for at in times if at > now - WINDOW]
            if len(counted) >= bound.most:
                raise TooMany(bound, min(counted))

    def _put(self, transition: Transition, lease_seconds: float) -> None:
        """Store the order, beside what only tasks write of it, and the tasks that the move leaves behind."""
        order, database = transition.order, self._database
        kept = database.orders[order.order_id]
        database.orders[order.order_id] = replace(
            order,
            tax_document=kept.tax_document,
            tax_difference=kept.tax_difference,
            refund_documents=kept.refund_documents,
        )
        database.order_rows[order.order_id] = self._row(transition, lease_seconds)
        for subject in subjects(order) if transition.declined else ():
            database.declines[subject].append(order.updated_at)
        for new in transition.tasks:
            task = Task(order.order_id, new.kind, number=new.number)
            row = Row(due=order.updated_at + new.delay) if new.delay else Row(self._owner, self._in(lease_seconds))
            database.tasks[order.order_id, task.name] = task
            database.task_rows[order.order_id, task.name] = row
            database.born[order.order_id, task.name] = self._clock.now()

    def _age(self, times: Sequence[datetime]) -> float:
        return (self._clock.now() - min(times)).total_seconds() if times else 0.0

    def _standing(self, order_id: str) -> Standing:
        row, now = self._database.order_rows[order_id], self._clock.now()
        tasks = []
        for key, task in sorted(self._database.tasks.items()):
            of_task = self._database.task_rows[key]
            leased = of_task.owner and of_task.due is not None and of_task.due > now
            if task.order_id == order_id and not task.done and not leased:
                tasks.append(replace(task, due_at=of_task.due))
        held = bool(row.owner) and row.due is not None and row.due > now
        return Standing(self._database.orders[order_id], row.due, held, tasks)

    def _row(self, transition: Transition, lease_seconds: float) -> Row:
        if transition.wake_at is not None:
            return Row(due=transition.wake_at)
        if transition.parked or next_step(transition.order) is None:
            return Row()
        return Row(self._owner, self._in(lease_seconds))

    async def _begin(self, method: str) -> bool:
        """Let others run, meet the next trouble, and return whether the connection is cut after COMMIT."""
        await asyncio.sleep(0)
        planned = self.trouble[method]
        match planned.popleft() if planned else None:
            case Trouble.AWAY:
                raise Refusal(Reason.UNAVAILABLE, "The order database cannot be reached; try again.", retry_after=1.0)
            case Trouble.CUT_BEFORE | Trouble.OVERTAKEN:
                raise InDoubt
            case trouble:
                self._paused = trouble is Trouble.PAUSED
                return trouble is Trouble.CUT_AFTER

    def _in(self, seconds: float) -> datetime:
        return self._clock.now() + timedelta(seconds=seconds)

    def _due(self, rows: dict[K, Row], limit: int) -> list[K]:
        now = self._clock.now()
        due = [(row.due, key) for key, row in rows.items() if row.due is not None and row.due <= now]
        return [key for _, key in sorted(due, key=lambda each: each[0])[:limit]]
