"""What an order makes of being asked to be taken up again, at once, by a person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from order_svc.domain.order import Order, Stage
from order_svc.domain.refunding import sent_again
from order_svc.domain.task import Task
from order_svc.domain.transition import Transition, moved


@dataclass(frozen=True, slots=True)
class Standing:
    """An order, and who is at it.

    Attributes:
        order: As it stands.
        wake_at: When the saga goes on, or when the lease ends; None when neither is to come.
        held: Somebody holds it, and their lease is not over.
        tasks: Its tasks that are not done and that nobody holds.
    """

    order: Order
    wake_at: datetime | None
    held: bool
    tasks: Sequence[Task]


def after_retry(standing: Standing, now: datetime) -> tuple[Transition, Sequence[Task]] | None:
    """Return the order taken up again, and its tasks with their next try now; None when there is nothing to take up."""
    if standing.held:
        return None  # Whoever holds it is at it this moment.
    order = standing.order
    resent = sent_again(order) if order.needs_review and order.stage is Stage.SETTLED else None
    tasks = [
        replace(task, version=task.version + 1, due_at=now)
        for task in standing.tasks
        if task.due_at is None or task.due_at > now
    ]
    under_way = order.stage is not Stage.SETTLED
    # Money that is held waits for the shop, and not for another try.
    waits = under_way and order.stage is not Stage.HOLDING and (standing.wake_at is None or standing.wake_at > now)
    if not (order.needs_review or waits or tasks):
        return None
    facts = {"tasks": " ".join(task.name for task in tasks)} if tasks else {}
    if resent is not None:
        sending = moved(resent, now, stage=Stage.REFUNDING)
        return Transition(sending, "order.retried", facts, wake_at=now), tasks
    again = moved(order, now, needs_review=False, tries=0)
    return Transition(again, "order.retried", facts, wake_at=now if under_way else None), tasks
