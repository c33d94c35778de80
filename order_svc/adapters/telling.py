"""The port `Telling` on the chassis' telemetry."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from chassis.telemetry import conventions
from chassis.telemetry.setup import Telemetry
from chassis.telemetry.spans import Span, SpanContext, current, goes_on_from
from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import Backlog
from order_svc.domain.order import Event, Order
from order_svc.domain.step import Step
from order_svc.domain.task import Task
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import Bound

_COMPENSATIONS = frozenset({Step.CANCEL_PAYMENT, Step.REFUND})


# Names no trace: whatever goes on in it is carried on and never recorded.
_UNRECORDED = SpanContext(1, 1, sampled=False)


class TelemetryTold:
    """A step while it is being taken: its span and, at the end, its outcome."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.ended_as = "failed"

    def outcome(self, outcome: Done[object] | NotDone[object] | Unknown) -> None:
        """Note how it ended."""
        match outcome:
            case Done():
                self.ended_as = "done"
            case NotDone():
                self.ended_as = "not_done"
            case Unknown():
                self.ended_as = "unknown"
                self._span.fail("unknown outcome")
        self._span.set(conventions.OUTCOME, self.ended_as)


class TelemetryTelling:
    """Spans, durations and journal entries."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._tracer = telemetry.tracer
        self._metrics = telemetry.metrics
        self._clock = clock

    @contextmanager
    def step(self, step: Step, order: Order) -> Iterator[TelemetryTold]:
        """Surround one step; the call to the other service is a span of its own within."""
        began = self._clock.monotonic()
        with self._tracer.span(f"saga {step}", attributes=_attempt(order.tries + 1)) as span:
            told = TelemetryTold(span)
            yield told
        self._metrics.step_duration.record(self._clock.monotonic() - began, step.value, told.ended_as)
        if step in _COMPENSATIONS:
            self._metrics.compensations.add(step.value, told.ended_as)

    @contextmanager
    def task(self, task: Task, order: Order) -> Iterator[TelemetryTold]:
        """Surround one task: a trace of its own, linked to what made it due and to that in which it was placed."""
        began = self._clock.monotonic()
        attributes = {**_attributes(order), **_attempt(task.attempts + 1)}
        with self._tracer.span(
            f"task {task.kind}", "producer", parent=None, links=_causes(order), attributes=attributes
        ) as span:
            told = TelemetryTold(span)
            yield told
        self._metrics.step_duration.record(self._clock.monotonic() - began, task.kind, told.ended_as)

    @contextmanager
    def resumed(self, order: Order) -> Iterator[None]:
        """Surround the driving of an order that was left behind: a trace of its own, linked to the order's."""
        with self._tracer.span(
            "resume order", "internal", parent=None, links=_links(order), attributes=_attributes(order)
        ):
            yield

    @contextmanager
    def heard(self, order: Order) -> Iterator[None]:
        """Surround the taking in of news: a trace of its own, linked to the order's."""
        with self._tracer.span(
            "hear news", "internal", parent=None, links=_links(order), attributes=_attributes(order)
        ):
            yield

    def listening(self) -> AbstractContextManager[object]:
        """Surround a look for news: its calls are in no trace, because thousands a day would bury those of orders."""
        return self._tracer.span("listen", parent=_UNRECORDED)

    def event(self, transition: Transition, cause: str) -> Event:
        """Return the journal entry of a move, with the trace in which it happens; that goes on from the order's."""
        order = transition.order
        span = current()
        if span is not None and order.traceparent and f"{span.trace_id:032x}" not in order.traceparent:
            span.set(conventions.ORDER_ID, order.order_id)
            goes_on_from((order.traceparent,))
        return Event(
            order.version, order.updated_at, transition.kind, cause, order.state, transition.facts, _trace_id()
        )

    def placed(self, order: Order) -> Event:
        """Return the journal entry of a new order."""
        span = current()
        if span is not None:
            span.set(conventions.ORDER_ID, order.order_id)
        facts = {"items": str(len(order.draft.items)), "subtotal": str(order.draft.subtotal)}
        return Event(order.version, order.created_at, "order.placed", "request", order.state, facts, _trace_id())

    def traceparent(self) -> str:
        """Return the trace that is going on; empty when there is none."""
        span = current()
        return "" if span is None else span.traceparent()

    def ended(self, order: Order) -> None:
        """Count an order by the state it ended in."""
        self._metrics.orders.add(order.state.value)

    def limited(self, bound: Bound) -> None:
        """Count somebody who was turned away because of a limit."""
        self._metrics.orders_limited.add(bound.counted.value)

    def backlog(self, backlog: Backlog) -> None:
        """Note what is not finished."""
        self._metrics.outbox_depth.set(backlog.tasks, "order_tasks")
        self._metrics.outbox_age.set(backlog.oldest_task_seconds, "order_tasks")
        self._metrics.orders_in_review.set(backlog.in_review)
        self._metrics.unsettled_age.set(backlog.oldest_order_seconds)


def _trace_id() -> str:
    span = current()
    return "" if span is None or not span.sampled else f"{span.trace_id:032x}"


def _links(order: Order) -> tuple[SpanContext, ...]:
    placed_in = SpanContext.parse(order.traceparent) if order.traceparent else None
    return () if placed_in is None else (placed_in,)


def _causes(order: Order) -> tuple[SpanContext, ...]:
    """Return what made a task due, where it is begun right after it, before the span in which the order was placed."""
    span, placed_in = current(), _links(order)
    if span is None or not span.sampled or span.trace_id in {each.trace_id for each in placed_in}:
        return placed_in
    return (span.context(), *placed_in)


def _attempt(number: int) -> dict[str, str | int | bool | float]:
    return {conventions.ATTEMPT: number} if number > 1 else {}


def _attributes(order: Order) -> dict[str, str | int | bool | float]:
    return {conventions.ORDER_ID: order.order_id}
