"""What the order service tells of itself: spans, journal entries and numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from chassis.telemetry import conventions
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import SpanContext, Tracer
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.telling import TelemetryTelling
from order_svc.app.ports import Backlog
from order_svc.domain.order import State
from order_svc.domain.step import Step
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.transition import Transition
from tests.fakes.order_samples import ORDER_ID, an_order
from tests.fakes.telemetry_sink import RecordingSink, recording_tracer

PLACED_IN = SpanContext(7, 9, sampled=True)


@dataclass
class Telemetry:
    """The two things that telling asks of the chassis' telemetry."""

    tracer: Tracer
    metrics: Metrics


@dataclass
class Ear:
    """What was told."""

    telling: TelemetryTelling
    tracer: Tracer
    sink: RecordingSink
    metrics: Metrics


@pytest.fixture
def ear() -> Ear:
    tracer, sink = recording_tracer()
    metrics = Metrics("order")
    telling = TelemetryTelling(Telemetry(tracer, metrics), SystemClock())  # type: ignore[arg-type]  # all that it uses
    return Ear(telling, tracer, sink, metrics)


@contextmanager
def request_span(ear: Ear) -> Iterator[None]:
    with ear.tracer.span("PlaceOrder", "server", parent=PLACED_IN):
        yield


@pytest.mark.parametrize(
    ("outcome", "word", "status"),
    [
        (Done(1), "done", "unset"),
        (NotDone(Refusal(Reason.ADDRESS_INVALID, "Rue de Rivoli is nowhere")), "not_done", "unset"),
        (Unknown("timeout"), "unknown", "error"),
    ],
)
def test_a_step_is_a_span_and_a_duration_with_its_outcome(
    ear: Ear, outcome: Done[int] | NotDone[Refusal] | Unknown, word: str, status: str
) -> None:
    with request_span(ear), ear.telling.step(Step.QUOTE_TAX, an_order()) as told:
        told.outcome(outcome)

    step, request = ear.sink.spans
    assert (step.name, step.parent_id, step.trace_id) == ("saga quote_tax", request.span_id, 7)
    assert (step.attributes[conventions.OUTCOME], step.status) == (word, status)
    assert "Rivoli" not in str(step.attributes)
    assert list(ear.metrics.step_duration.read()) == [("quote_tax", word)]


@pytest.mark.parametrize("step", Step)
def test_only_taking_back_counts_as_a_compensation(ear: Ear, step: Step) -> None:
    with ear.telling.step(step, an_order()) as told:
        told.outcome(Done(1))

    expected = {(step.value, "done"): 1} if step in {Step.CANCEL_PAYMENT, Step.REFUND} else {}
    assert ear.metrics.compensations.read() == expected


def test_later_work_is_a_trace_of_its_own_that_links_to_the_orders(ear: Ear) -> None:
    order = an_order(traceparent=PLACED_IN.traceparent())

    with ear.telling.task(Task(ORDER_ID, TaskKind.COMMIT_TAX), order) as told:
        told.outcome(Done("doc"))
    with ear.telling.resumed(order), ear.telling.task(Task(ORDER_ID, TaskKind.SEND_CONFIRMATION, attempts=1), order):
        pass
    with ear.telling.heard(order):
        pass

    first, mail, resumed, heard = ear.sink.spans
    assert [each.name for each in ear.sink.spans] == [
        "task commit_tax",
        "task send_confirmation",
        "resume order",
        "hear news",
    ]
    assert [each.attributes.get(conventions.ATTEMPT) for each in (first, mail)] == [None, 2]
    assert mail.links == (resumed.context(), PLACED_IN), "what made it due stands first"
    assert first.links == resumed.links == heard.links == (PLACED_IN,)
    for span in ear.sink.spans:
        assert span.parent_id == 0
        assert span.trace_id != 7
        assert span.attributes[conventions.ORDER_ID] == ORDER_ID


def test_an_order_that_was_placed_without_a_trace_links_to_none(ear: Ear) -> None:
    with ear.telling.resumed(an_order()):
        pass

    assert ear.sink.spans[0].links == ()


def test_the_request_knows_its_order_and_the_order_its_trace(ear: Ear) -> None:
    with request_span(ear):
        traceparent = ear.telling.traceparent()
        event = ear.telling.placed(an_order())

    (span,) = ear.sink.spans
    assert span.attributes[conventions.ORDER_ID] == ORDER_ID
    assert traceparent == span.traceparent()
    assert (event.kind, event.cause, event.trace_id) == ("order.placed", "request", f"{7:032x}")
    assert event.facts == {"items": "2", "subtotal": "58.97 EUR"}


def test_a_move_is_an_entry_of_the_journal_with_its_trace(ear: Ear) -> None:
    order = an_order(version=4, state=State.PAID)

    with request_span(ear):
        event = ear.telling.event(Transition(order, "payment.charged", {"payment_id": "p"}), "sweeper")

    assert (event.version, event.at, event.kind, event.cause) == (4, order.updated_at, "payment.charged", "sweeper")
    assert (event.state, event.facts, event.trace_id) == (State.PAID, {"payment_id": "p"}, f"{7:032x}")


def test_a_command_goes_on_from_the_trace_in_which_its_order_was_placed(ear: Ear) -> None:
    order = an_order(traceparent=PLACED_IN.traceparent())

    with ear.tracer.span("RefundOrder", "server", parent=SpanContext(8, 1, sampled=True)):
        ear.telling.event(Transition(order, "order.refund_requested", {}), "request")
        ear.telling.event(Transition(order, "order.refunded", {}), "request")
    with request_span(ear):
        ear.telling.event(Transition(order, "payment.charged", {}), "request")

    command, placing = ear.sink.spans
    assert command.links == (PLACED_IN,)
    assert command.attributes[conventions.ORDER_ID] == ORDER_ID
    assert placing.links == ()


def test_a_step_that_is_taken_again_says_so(ear: Ear) -> None:
    with ear.telling.step(Step.CHARGE, an_order(tries=2)):
        pass

    assert ear.sink.spans[0].attributes[conventions.ATTEMPT] == 3


def test_outside_any_trace_there_is_none(ear: Ear) -> None:
    assert ear.telling.traceparent() == ""
    assert ear.telling.placed(an_order()).trace_id == ""


def test_a_trace_that_is_not_recorded_is_carried_on_and_not_named(ear: Ear) -> None:
    with ear.tracer.span("PlaceOrder", "server", parent=SpanContext(7, 9, sampled=False)):
        assert ear.telling.placed(an_order()).trace_id == ""
        assert ear.telling.traceparent().startswith(f"00-{7:032x}-")


def test_a_look_for_news_leaves_no_span(ear: Ear) -> None:
    with ear.telling.listening(), ear.tracer.span("ListPaymentNews", "client") as call:
        assert call.traceparent().endswith("-00")

    assert ear.sink.spans == []


def test_ends_and_the_outbox_are_numbers(ear: Ear) -> None:
    ear.telling.ended(an_order(state=State.PAID))
    ear.telling.ended(an_order(state=State.FAILED))
    ear.telling.ended(an_order(state=State.PAID))
    ear.telling.backlog(Backlog(3, 12.5, 2, 99.0))

    assert ear.metrics.orders.read() == {("PAID",): 2, ("FAILED",): 1}
    assert ear.metrics.outbox_depth.read() == {("order_tasks",): 3}
    assert ear.metrics.outbox_age.read() == {("order_tasks",): 12.5}
    assert ear.metrics.orders_in_review.read() == {(): 2}
    assert ear.metrics.unsettled_age.read() == {(): 99.0}
