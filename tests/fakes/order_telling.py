"""The port `Telling`, which keeps what it is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import Backlog
from order_svc.domain.order import Event, Order
from order_svc.domain.step import Step
from order_svc.domain.task import Task
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import Bound, Counted


class FakeTold:
    """A step while it is being taken."""

    def __init__(self) -> None:
        self.outcomes: list[Done[object] | NotDone[object] | Unknown] = []

    def outcome(self, outcome: Done[object] | NotDone[object] | Unknown) -> None:
        self.outcomes.append(outcome)


class FakeTelling:
    """Remembers.

    Attributes:
        steps: Every step that was taken.
        ends: Every order that was counted, by id.
        resumes: Every order that was taken up again, by id.
        backlogs: What was said of what is not finished, each time.
        limits: Each limit that somebody was turned away for.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.ends: list[str] = []
        self.resumes: list[str] = []
        self.backlogs: list[Backlog] = []
        self.limits: list[Counted] = []

    @contextmanager
    def step(self, step: Step, order: Order) -> Iterator[FakeTold]:
        self.steps.append(step)
        yield FakeTold()

    @contextmanager
    def task(self, task: Task, order: Order) -> Iterator[FakeTold]:
        yield FakeTold()

    @contextmanager
    def resumed(self, order: Order) -> Iterator[None]:
        self.resumes.append(order.order_id)
        yield

    @contextmanager
    def heard(self, order: Order) -> Iterator[None]:
        yield

    @contextmanager
    def listening(self) -> Iterator[None]:
        yield

    def event(self, transition: Transition, cause: str) -> Event:
        order = transition.order
        return Event(order.version, order.updated_at, transition.kind, cause, order.state, transition.facts)

    def placed(self, order: Order) -> Event:
        return Event(order.version, order.created_at, "order.placed", "request", order.state)

    def traceparent(self) -> str:
        return ""

    def ended(self, order: Order) -> None:
        self.ends.append(order.order_id)

    def limited(self, bound: Bound) -> None:
        self.limits.append(bound.counted)

    def backlog(self, backlog: Backlog) -> None:
        self.backlogs.append(backlog)
