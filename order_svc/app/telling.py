"""What the order service tells about itself: a span and a duration per step, a journal entry per move, a count per end.

The use cases know this port; chassis telemetry fills it in adapters/telling.py.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import Backlog
from order_svc.domain.order import Event, Order
from order_svc.domain.step import Step
from order_svc.domain.task import Task
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import Bound


class Told(Protocol):
    """A step while it is being taken."""

    def outcome(self, outcome: Done[object] | NotDone[object] | Unknown) -> None:
        """Note how it ended."""
        ...


class Telling(Protocol):
    """Where the telling goes."""

    def step(self, step: Step, order: Order) -> AbstractContextManager[Told]:
        """Surround one step of an order; how often it was tried before the order knows."""
        ...

    def task(self, task: Task, order: Order) -> AbstractContextManager[Told]:
        """Surround one task done after the order was settled: a trace of its own, linked to what made it due."""
        ...

    def resumed(self, order: Order) -> AbstractContextManager[None]:
        """Surround the driving of an order that was left behind: a trace of its own, linked to the order's."""
        ...

    def heard(self, order: Order) -> AbstractContextManager[None]:
        """Surround the taking in of news about an order: a trace of its own, linked to the order's."""
        ...

    def listening(self) -> AbstractContextManager[object]:
        """Surround a look for news, of which there is none as a rule: it is not recorded."""
        ...

    def event(self, transition: Transition, cause: str) -> Event:
        """Return the journal entry of a move, with the trace in which it happens."""
        ...

    def placed(self, order: Order) -> Event:
        """Return the journal entry of a new order."""
        ...

    def traceparent(self) -> str:
        """Return the trace that is going on, to be kept with a new order; empty when there is none."""
        ...

    def ended(self, order: Order) -> None:
        """Count an order that has reached a state in which it no longer changes by itself."""
        ...

    def limited(self, bound: Bound) -> None:
        """Count somebody who was turned away because of a limit."""
        ...

    def backlog(self, backlog: Backlog) -> None:
        """Note what is not finished."""
        ...
