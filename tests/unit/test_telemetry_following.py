"""The spans of an order: its own traces, and those that go on from them, but not another order's."""

from pathlib import Path

from chassis.telemetry.following import spans_of
from chassis.telemetry.setup import SPANS_FILE
from chassis.telemetry.spans import Span, SpanContext
from chassis.telemetry.store import SpanStore


def append(data_dir: Path, *spans: Span) -> None:
    store = SpanStore(data_dir / SPANS_FILE)
    store.append(spans)
    store.close()


def span(trace: int, *, links: tuple[int, ...] = ()) -> Span:
    targets = tuple(SpanContext(target, target, sampled=True) for target in links)
    made = Span("order", "work", "internal", SpanContext(trace, trace, sampled=True), 0, 1, {}, targets)
    made.end_ns = 2
    return made


def traces(data_dir: Path, *wanted: int) -> set[int]:
    return {int(found.trace_id, 16) for found in spans_of(data_dir, [f"{trace:032x}" for trace in wanted])}


def test_traces_that_go_on_are_followed_over_several_hops(tmp_path: Path) -> None:
    append(tmp_path, span(1), span(2, links=(1,)), span(3, links=(2,)), span(4, links=(3,)), span(9))

    assert traces(tmp_path, 1) == {1, 2, 3, 4}


def test_another_order_is_not_drawn_in_by_work_that_was_done_for_both(tmp_path: Path) -> None:
    append(tmp_path, span(1), span(7), span(2, links=(1, 7)), span(8, links=(7,)))

    assert traces(tmp_path, 1) == {1, 2}


def test_each_span_comes_once(tmp_path: Path) -> None:
    append(tmp_path, span(1), span(2, links=(1,)), span(3, links=(1, 2)))

    assert len(spans_of(tmp_path, [f"{1:032x}", f"{2:032x}"])) == 3


def test_a_data_directory_without_spans_has_none_and_stays_as_it_is(tmp_path: Path) -> None:
    assert spans_of(tmp_path, ["0" * 31 + "1"]) == []
    assert list(tmp_path.iterdir()) == []
