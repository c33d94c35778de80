"""The way of a span from product code to the store: never in the way, and every loss counted."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from chassis.telemetry.pipeline import Pipeline
from chassis.telemetry.setup import SPANS_FILE, start_telemetry
from chassis.telemetry.spans import Span, SpanContext
from chassis.telemetry.store import OLDEST_NS, SpanStore
from tests.fakes.telemetry_sink import Nanoseconds


def span(trace_id: int) -> Span:
    made = Span("order", "x", "internal", SpanContext(trace_id, 1, sampled=True), 0, 1, {})
    made.end_ns = 2
    return made


def stored(path: Path, trace_id: int) -> int:
    store = SpanStore(path)
    try:
        return len(store.trace(f"{trace_id:032x}"))
    finally:
        store.close()


class ListExporter:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, spans: Sequence[Span]) -> None:
        self.spans.extend(spans)


def test_what_is_put_is_stored_and_exported(tmp_path: Path) -> None:
    exporter = ListExporter()
    pipeline = Pipeline(tmp_path / "spans.db", exporter, Nanoseconds(10))

    one = span(1)
    pipeline.put(one)
    pipeline.flush()

    assert stored(tmp_path / "spans.db", 1) == 1
    assert exporter.spans == [one]
    pipeline.shutdown()


def test_a_secret_that_code_has_stated_is_neither_stored_nor_exported(tmp_path: Path) -> None:
    exporter = ListExporter()
    pipeline = Pipeline(tmp_path / "spans.db", exporter, Nanoseconds(10))
    one = span(1)
    one.set("said", "by ada@example.com of 4242 4242 4242 4242")
    one.set("count", 7)
    one.fail("key sk_live_51abc")
    one.tracestate = "vendor=whsec_51abc"

    pipeline.put(one)
    pipeline.flush()

    assert exporter.spans[0].attributes == {"said": "by [email] of [card]", "count": 7}
    assert (exporter.spans[0].status_message, exporter.spans[0].tracestate) == ("key [secret]", "vendor=[secret]")
    pipeline.shutdown()
    written = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert not any(secret in written for secret in (b"ada@", b"4242 4242", b"51abc"))


def test_the_thread_stores_without_being_asked(tmp_path: Path) -> None:
    exported = threading.Event()

    class Signal(ListExporter):
        def put(self, spans: Sequence[Span]) -> None:
            exported.set()

    pipeline = Pipeline(tmp_path / "spans.db", Signal(), Nanoseconds(10), interval_seconds=0.01)
    pipeline.start()
    pipeline.put(span(1))

    assert exported.wait(timeout=30)
    pipeline.shutdown()
    assert stored(tmp_path / "spans.db", 1) == 1


def test_nothing_is_written_before_there_is_a_span(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "spans.db", None, Nanoseconds(10))
    pipeline.flush()
    pipeline.shutdown()

    assert list(tmp_path.iterdir()) == []


def test_a_full_queue_loses_spans_and_counts_them(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "spans.db", None, Nanoseconds(10), capacity=3)
    for number in range(1, 6):
        pipeline.put(span(number))
    pipeline.flush()

    assert pipeline.dropped == 2
    assert [stored(tmp_path / "spans.db", number) for number in range(1, 6)] == [1, 1, 1, 0, 0]
    pipeline.shutdown()


def test_a_store_that_cannot_be_used_harms_nobody_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spans.db").mkdir()
    pipeline = Pipeline(tmp_path / "spans.db", None, Nanoseconds(10))

    with caplog.at_level(logging.WARNING):
        for number in range(1, 21):
            pipeline.put(span(number))
            pipeline.flush()
    pipeline.shutdown()

    assert pipeline.dropped == 20
    assert [record.getMessage() for record in caplog.records] == ["spans.store_failed", "spans.lost"]


def test_a_store_that_was_in_the_way_for_a_moment_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "spans.db"
    path.mkdir()
    pipeline = Pipeline(path, None, Nanoseconds(10))
    pipeline.put(span(1))
    pipeline.flush()

    path.rmdir()
    pipeline.put(span(2))
    pipeline.flush()

    assert (pipeline.dropped, stored(path, 1), stored(path, 2)) == (0, 1, 1)
    pipeline.shutdown()


def test_a_batch_is_not_stored_twice_when_pruning_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(SpanStore, "prune", fails)
    pipeline = Pipeline(tmp_path / "spans.db", None, Nanoseconds(10))
    pipeline.put(span(1))
    pipeline.flush()
    pipeline.flush()

    assert (pipeline.dropped, stored(tmp_path / "spans.db", 1)) == (0, 1)
    pipeline.shutdown()


def test_what_is_too_old_is_pruned_with_every_sixteenth_batch(tmp_path: Path) -> None:
    path = tmp_path / "spans.db"
    pipeline = Pipeline(path, None, lambda: 2 * OLDEST_NS)
    left = []
    for number in range(1, 18):
        pipeline.put(span(number))
        pipeline.flush()
        left.append(sum(stored(path, each) for each in range(1, 18)))

    assert (left[0], left[15], left[16]) == (0, 15, 0)
    pipeline.shutdown()


async def test_services_of_one_process_share_a_store_and_keep_their_names(tmp_path: Path) -> None:
    order = start_telemetry("order", tmp_path, None)
    tax = order.for_service("tax")

    with order.tracer.span("PlaceOrder") as outer, tax.tracer.span("QuoteTax"):
        pass
    await order.aclose()

    store = SpanStore(tmp_path / SPANS_FILE)
    spans = store.trace(f"{outer.trace_id:032x}")
    store.close()
    assert [(one.service, one.name) for one in spans] == [("order", "PlaceOrder"), ("tax", "QuoteTax")]
    assert spans[1].parent_id == spans[0].span_id
    assert (order.metrics.service, tax.metrics.service) == ("order", "tax")


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    telemetry = start_telemetry("order", tmp_path, None)

    telemetry.shutdown()
    telemetry.shutdown()
