"""Short ways to put orders into a store and to move them there."""

from collections.abc import Callable
from dataclasses import replace

from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids
from order_svc.app.ports import Orders, Story
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.task import NewTask, TaskKind
from order_svc.domain.transition import Transition
from tests.fakes.order_samples import a_request, an_event, an_order

CLOCK = SystemClock()
IDS = Uuid7Ids(CLOCK)
MINUTE = 60.0
OVER = -1.0  # a lease that is over as soon as it is taken

# Makes a replica of the order service's store, by its name and the name of its present life.
Replicas = Callable[[str, str], Orders]


def fresh(stage: Stage = Stage.QUOTING, **changes: object) -> Order:
    return an_order(stage, **{"order_id": IDS.new(), **changes})


async def store(orders: Orders, order: Order, lease_seconds: float = MINUTE) -> Order:
    """Store the order under a key of its own."""
    assert await orders.create(order, a_request(order.order_id), an_event(order), lease_seconds)
    return order


async def told(orders: Orders, order: Order) -> Story:
    """Return the story of an order that is stored."""
    story = await orders.journal(order.order_id)
    assert story is not None
    return story


def moved(order: Order, stage: Stage = Stage.CHARGING, **changes: object) -> Transition:
    """Return a move of the order that is told."""
    tasks = tuple(NewTask(kind) for kind in changes.pop("tasks", ()))  # type: ignore[attr-defined]
    wake_at = changes.pop("wake_at", None)
    parked = changes.pop("parked", False)
    after = replace(order, stage=stage, version=order.version + 1, fence=order.fence + 1, **changes)  # type: ignore[arg-type]
    return Transition(after, "some.move", {}, tasks, wake_at, parked)  # type: ignore[arg-type]


async def move(orders: Orders, transition: Transition, lease_seconds: float = MINUTE) -> Order:
    event = an_event(transition.order, transition.kind) if transition.kind else None
    await orders.move(transition, event, lease_seconds)
    return transition.order


async def pay(orders: Orders, lease_seconds: float = MINUTE) -> Order:
    """Store an order and pay it, with both tasks."""
    order = await store(orders, fresh(Stage.CHARGING))
    tasks = (TaskKind.COMMIT_TAX, TaskKind.SEND_CONFIRMATION)
    return await move(orders, moved(order, Stage.SETTLED, state=State.PAID, tasks=tasks), lease_seconds)
