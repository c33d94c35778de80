"""Spans: how they hang together, what travels to other processes, and what is never written down."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.telemetry.spans import Span, SpanContext, attach, current, detach, goes_on_from
from tests.fakes.telemetry_sink import Nanoseconds, recording_tracer

VALID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_a_context_survives_the_header(trace_id: int, span_id: int, sampled: bool) -> None:  # noqa: FBT001  (drawn)
    context = SpanContext(trace_id, span_id, sampled)

    assert SpanContext.parse(context.traceparent()) == context


def test_the_header_reads_as_w3c_writes_it() -> None:
    context = SpanContext.parse(VALID, "vendor=1")

    assert context == (0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, True, "vendor=1")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        VALID.upper(),
        VALID[:-1],
        f"{VALID}-00",
        f"{VALID} ",
        f"ff{VALID[2:]}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        VALID.replace("-", "_"),
        VALID.replace("4b", "4g"),
        f"{VALID}\n",
        "\u0660\u0660" + VALID[2:],
    ],
)
def test_a_header_that_is_not_valid_is_ignored(header: str) -> None:
    assert SpanContext.parse(header) is None


def test_a_later_version_of_the_header_may_say_more() -> None:
    context = SpanContext.parse(f"cc{VALID[2:]}-what-comes-later")

    assert context is not None
    assert context.sampled


def test_other_flags_do_not_matter() -> None:
    assert SpanContext.parse(VALID[:-2] + "02") == SpanContext.parse(VALID[:-2] + "00")


def test_a_span_without_a_parent_begins_a_trace() -> None:
    tracer, sink = recording_tracer("gateway")

    span = tracer.start("POST /api/v1/orders", "server", parent=None)
    tracer.finish(span)

    assert sink.spans == [span]
    assert (span.service, span.parent_id, span.sampled, span.status) == ("gateway", 0, True, "unset")


def test_the_span_of_the_task_is_the_parent_unless_another_is_named() -> None:
    tracer, _ = recording_tracer()
    caller = SpanContext(7, 8, sampled=True)

    with tracer.span("outer") as outer:
        inner, elsewhere, root = tracer.start("a"), tracer.start("b", parent=caller), tracer.start("c", parent=None)

    assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)
    assert (elsewhere.trace_id, elsewhere.parent_id) == (7, 8)
    assert root.trace_id != outer.trace_id


def test_ids_differ() -> None:
    tracer, _ = recording_tracer()
    spans = [tracer.start("x", parent=None) for _ in range(100)]

    assert len({span.trace_id for span in spans} | {span.span_id for span in spans}) == 200


def test_a_caller_that_does_not_sample_is_carried_on_and_not_recorded() -> None:
    tracer, sink = recording_tracer()

    with tracer.span("outer", parent=SpanContext(7, 8, sampled=False, tracestate="vendor=1")) as outer:
        inner = tracer.start("inner")
        tracer.finish(inner)

    assert sink.spans == []
    assert inner.traceparent() == f"00-{7:032x}-{inner.span_id:016x}-00"
    assert (inner.trace_id, inner.tracestate, outer.sampled) == (7, "vendor=1", False)


def test_a_block_makes_its_span_current_and_leaves_the_outer_one() -> None:
    tracer, sink = recording_tracer()

    with tracer.span("outer") as outer:
        with tracer.span("inner") as inner:
            assert current() is inner
        assert current() is outer

    assert current() is None
    assert [span.name for span in sink.spans] == ["inner", "outer"]


def test_an_attached_span_is_current_until_it_is_detached() -> None:
    tracer, _ = recording_tracer()
    token = attach(span := tracer.start("x"))

    assert current() is span
    detach(token)
    assert current() is None


async def test_tasks_keep_to_their_own_spans() -> None:
    tracer, _ = recording_tracer()

    async def work(name: str) -> Span:
        with tracer.span(name):
            await asyncio.sleep(0)
            return tracer.start("inner")

    with tracer.span("outer"):
        first, second = await asyncio.gather(work("first"), work("second"))

    assert first.parent_id != second.parent_id
    assert first.trace_id == second.trace_id


class CardTrouble(Exception):
    pass


def test_an_exception_marks_the_span_with_its_type_and_never_with_its_words() -> None:
    tracer, sink = recording_tracer()

    with pytest.raises(CardTrouble), tracer.span("x"):
        raise CardTrouble("bob@example.com pays with 4242424242424242")

    (span,) = sink.spans
    assert span.status == "error"
    assert span.attributes["error.type"] == f"{__name__}.CardTrouble"
    assert not any("4242" in str(getattr(span, slot)) for slot in Span.__slots__)


async def test_a_cancelled_block_is_recorded_as_cancelled() -> None:
    tracer, sink = recording_tracer()

    async def work() -> None:
        with tracer.span("x"):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert sink.spans[0].attributes["error.type"] == "asyncio.exceptions.CancelledError"


def test_times_are_the_clocks_and_never_run_backwards() -> None:
    clock = Nanoseconds(1_000)
    tracer, _ = recording_tracer(clock=clock)
    forward, backward = tracer.start("a"), tracer.start("b")

    clock.now = 5_000
    tracer.finish(forward)
    clock.now = 500
    tracer.finish(backward)

    assert (forward.start_ns, forward.end_ns) == (1_000, 5_000)
    assert backward.end_ns == backward.start_ns


def test_a_span_is_finished_once() -> None:
    tracer, sink = recording_tracer()
    span = tracer.start("x")

    tracer.finish(span)
    tracer.finish(span)

    assert sink.spans == [span]


def test_a_span_is_linked_to_what_it_goes_on_from_once_and_not_to_its_own_trace() -> None:
    tracer, sink = recording_tracer()
    other = SpanContext(8, 1, sampled=True).traceparent()
    unrecorded = SpanContext(9, 1, sampled=False).traceparent()

    with tracer.span("webhook", parent=SpanContext(7, 2, sampled=True)) as span:
        goes_on_from((other, "", "nonsense", unrecorded, span.traceparent()))
        goes_on_from((other,))
    goes_on_from((other,))

    assert [(link.trace_id, link.span_id) for link in sink.spans[0].links] == [(8, 1)]


def test_a_batch_is_linked_to_some_of_what_it_is_about() -> None:
    tracer, sink = recording_tracer()

    with tracer.span("webhook"):
        goes_on_from(SpanContext(number, 1, sampled=True).traceparent() for number in range(1, 100))

    assert len(sink.spans[0].links) == 32
