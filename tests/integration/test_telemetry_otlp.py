"""What a collector gets: every span with all it says, every instrument, and nothing that holds a process up."""

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from chassis.telemetry.metrics import Metrics
from chassis.telemetry.otlp import OtlpExport
from chassis.telemetry.setup import SPANS_FILE, start_telemetry
from chassis.telemetry.spans import SpanContext
from chassis.telemetry.store import SpanStore
from tests.fakes.otlp_collector import OtlpCollector, attributes
from tests.fakes.telemetry_sink import recording_tracer
from tests.fakes.unused_ports import unused_port


def test_a_span_arrives_with_all_it_says(tmp_path: Path) -> None:
    caller = SpanContext(0xABC << 80, 0xDEF, sampled=True, tracestate="vendor=1")
    with OtlpCollector() as collector:
        telemetry = start_telemetry("order", tmp_path, collector.url)
        span = telemetry.tracer.start(
            "PlaceOrder",
            "server",
            parent=caller,
            links=(SpanContext(5, 6, sampled=True),),
            attributes={"rpc.method": "x", "count": 3, "ok": True, "share": 0.5},
        )
        span.fail("UNAVAILABLE")
        telemetry.tracer.finish(span)
        telemetry.shutdown()

    ((about, sent),) = collector.spans
    assert (about["service.name"], about["service.namespace"]) == ("order", "ordermesh")
    assert len(str(about["service.instance.id"])) == 16
    assert sent.trace_id == caller.trace_id.to_bytes(16)
    assert (sent.span_id, sent.parent_span_id) == (span.span_id.to_bytes(8), caller.span_id.to_bytes(8))
    assert (sent.name, sent.kind, sent.trace_state) == ("PlaceOrder", OtlpSpan.SPAN_KIND_SERVER, "vendor=1")
    assert (sent.start_time_unix_nano, sent.end_time_unix_nano) == (span.start_ns, span.end_ns)
    assert attributes(sent.attributes) == {"rpc.method": "x", "count": 3, "ok": True, "share": 0.5}
    assert [(link.trace_id, link.span_id) for link in sent.links] == [((5).to_bytes(16), (6).to_bytes(8))]
    assert (sent.status.code, sent.status.message) == (Status.STATUS_CODE_ERROR, "UNAVAILABLE")


def test_spans_go_to_the_local_store_as_well(tmp_path: Path) -> None:
    with OtlpCollector() as collector:
        telemetry = start_telemetry("order", tmp_path, collector.url)
        with telemetry.tracer.span("x") as span:
            pass
        telemetry.shutdown()

    store = SpanStore(tmp_path / SPANS_FILE)
    assert len(store.trace(f"{span.trace_id:032x}")) == 1
    store.close()


def test_a_running_process_exports_without_being_stopped() -> None:
    with OtlpCollector() as collector:
        export = OtlpExport(collector.url, "i", time.time_ns, metrics_interval_seconds=0)  # noqa: TID251  (its real clock)
        metrics = Metrics("order")
        metrics.orders.add("PAID")
        export.watch(metrics)
        export.start()
        tracer, sink = recording_tracer()
        with tracer.span("x"):
            pass
        export.put(sink.spans)

        assert collector.got_spans.wait(timeout=30)
        assert collector.got_metrics.wait(timeout=30)
        export.shutdown(30)


def test_what_the_queue_cannot_hold_is_counted() -> None:
    with OtlpCollector() as collector:
        export = OtlpExport(collector.url, "i", time.time_ns)  # noqa: TID251  (its real clock)
        tracer, sink = recording_tracer()
        with tracer.span("x"):
            pass

        export.put(sink.spans * 16_000)
        export.put(sink.spans * 1_000)
        export.put(sink.spans * 100)
        assert export.dropped == 716

        export.start()
        export.shutdown(30)
    assert len(collector.spans) == 16_384


def test_services_of_one_process_arrive_under_their_own_names(tmp_path: Path) -> None:
    with OtlpCollector() as collector:
        order = start_telemetry("order", tmp_path, collector.url)
        tax = order.for_service("tax")
        for telemetry in (order, tax):
            with telemetry.tracer.span("x"):
                pass
            telemetry.metrics.orders.add("PAID")
        order.shutdown()

    assert {about["service.name"] for about, _ in collector.spans} == {"order", "tax"}
    assert {about["service.name"] for about, _ in collector.metrics} == {"order", "tax"}


def _record_everything(metrics: Metrics) -> None:
    metrics.rpc_server_duration.record(0.003, "grpc", "pkg.Service/Method", "INTERNAL", "INTERNAL")
    metrics.rpc_client_duration.record(0.003, "grpc", "pkg.Service/Method", "OK", "")
    metrics.http_server_duration.record(0.003, "POST", "/api/v1/orders", "201", "http", "")
    metrics.orders.add("PAID")
    metrics.step_duration.record(0.003, "charge", "done")
    metrics.compensations.add("refund", "done")
    metrics.outbox_depth.set(4, "mail")
    metrics.outbox_age.set(1.5, "mail")
    metrics.provider_calls.add("stripe", "charge", "lost")
    metrics.commits.add("committed")
    metrics.commit_size.record(3)


EXPECTED = {
    "rpc.server.call.duration": {
        "rpc.system.name": "grpc",
        "rpc.method": "pkg.Service/Method",
        "rpc.response.status_code": "INTERNAL",
        "error.type": "INTERNAL",
    },
    "rpc.client.call.duration": {
        "rpc.system.name": "grpc",
        "rpc.method": "pkg.Service/Method",
        "rpc.response.status_code": "OK",
    },
    "http.server.request.duration": {
        "http.request.method": "POST",
        "http.route": "/api/v1/orders",
        "http.response.status_code": "201",
        "url.scheme": "http",
    },
    "ordermesh.orders": {"ordermesh.order.state": "PAID"},
    "ordermesh.step.duration": {"ordermesh.step": "charge", "ordermesh.outcome": "done"},
    "ordermesh.compensations": {"ordermesh.step": "refund", "ordermesh.outcome": "done"},
    "ordermesh.outbox.depth": {"ordermesh.outbox.name": "mail"},
    "ordermesh.outbox.age": {"ordermesh.outbox.name": "mail"},
    "ordermesh.provider.calls": {
        "ordermesh.provider": "stripe",
        "ordermesh.operation": "charge",
        "ordermesh.outcome": "lost",
    },
    "ordermesh.commits": {"ordermesh.outcome": "committed"},
    "ordermesh.commit.size": {},
}


def test_every_instrument_arrives_with_its_labels(tmp_path: Path) -> None:
    with OtlpCollector() as collector:
        telemetry = start_telemetry("order", tmp_path, collector.url)
        _record_everything(telemetry.metrics)
        telemetry.shutdown()

    arrived = {metric.name: metric for _, metric in collector.metrics}
    points = {
        name: attributes(getattr(metric, metric.WhichOneof("data") or "").data_points[0].attributes)
        for name, metric in arrived.items()
    }
    assert points == EXPECTED
    assert all(metric.unit and metric.description for metric in arrived.values())
    duration = arrived["rpc.server.call.duration"].histogram.data_points[0]
    assert (duration.count, duration.sum, duration.min, duration.max) == (1, 0.003, 0.003, 0.003)
    assert list(duration.bucket_counts) == [1] + [0] * 14
    assert arrived["ordermesh.orders"].sum.is_monotonic
    assert arrived["ordermesh.outbox.age"].gauge.data_points[0].as_double == 1.5


def test_instruments_that_nobody_used_are_not_sent(tmp_path: Path) -> None:
    with OtlpCollector() as collector:
        telemetry = start_telemetry("order", tmp_path, collector.url)
        telemetry.metrics.orders.add("PAID")
        telemetry.shutdown()

    assert [metric.name for _, metric in collector.metrics] == ["ordermesh.orders"]


@pytest.mark.parametrize("status", [None, 400, 503])
def test_a_collector_that_is_down_or_refuses_costs_spans_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int | None
) -> None:
    with OtlpCollector() as collector, caplog.at_level(logging.WARNING):
        collector.status = status or 200
        url = collector.url if status else f"http://127.0.0.1:{unused_port()}"
        telemetry = start_telemetry("order", tmp_path, url)
        with telemetry.tracer.span("x"):
            pass
        telemetry.shutdown()

    assert [record.getMessage() for record in caplog.records if record.name == "chassis.telemetry.otlp"] == [
        "spans.not_exported"
    ]


def test_a_process_that_exports_nothing_does_not_load_the_sdk(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from chassis.telemetry.setup import start_telemetry\n"
        "start_telemetry('order', pathlib.Path(sys.argv[1]), None).shutdown()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
