"""Export of spans and metrics to an OpenTelemetry collector, over OTLP/HTTP, on a thread of its own.

The SDK's classes are made here and nowhere else, and this module is imported only when a collector is configured,
because the SDK takes memory that most processes can save. The SDK's exporters themselves read the other
OTEL_EXPORTER_OTLP_ variables: headers, certificates, compression.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.trace import SpanContext as SdkSpanContext

from chassis.telemetry.metrics import Counter, Gauge, Histogram, Metrics
from chassis.telemetry.spans import Span, SpanContext

_log = logging.getLogger(__name__)

_CAPACITY = 16_384
_AT_ONCE = 512  # the SDK's own batch size
_SPANS_INTERVAL_SECONDS = 1.0
_METRICS_INTERVAL_SECONDS = 60.0  # the SDK's own

_SCOPE: Final = InstrumentationScope("ordermesh")
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_KINDS: Final = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "internal": SpanKind.INTERNAL,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class OtlpExport:
    """Sends spans every second and metrics every minute.

    Args:
        endpoint: Base address of the collector: "http://collector:4318".
        instance: Tells this process from others of the same service: `service.instance.id`.
        now_ns: Wall-clock nanoseconds since 1970.
        metrics_interval_seconds: Time between two exports of the metrics.

    Attributes:
        dropped: Spans that were lost, by full queue or failing collector.
    """

    def __init__(
        self,
        endpoint: str,
        instance: str,
        now_ns: Callable[[], int],
        *,
        metrics_interval_seconds: float = _METRICS_INTERVAL_SECONDS,
    ) -> None:
        self.dropped = 0
        self._instance = instance
        self._now_ns = now_ns
        self._started_ns = now_ns()
        self._metrics_interval_ns = int(metrics_interval_seconds * 1_000_000_000)
        self._span_exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._metric_exporter = OTLPMetricExporter(endpoint=f"{endpoint.rstrip('/')}/v1/metrics")
        self._resources: dict[str, Resource] = {}
        self._metrics: list[Metrics] = []
        self._queue: deque[Span] = deque()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="telemetry-export", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def watch(self, metrics: Metrics) -> None:
        """Export these metrics too from now on."""
        self._metrics.append(metrics)

    def put(self, spans: Sequence[Span]) -> None:
        """Take a batch; what does not fit is counted as dropped."""
        room = _CAPACITY - len(self._queue)
        self._queue.extend(spans[:room])
        self.dropped += max(0, len(spans) - room)

    def shutdown(self, seconds: float) -> None:
        """Send what is left, for at most so many seconds."""
        self._stop.set()
        self._thread.join(seconds)
        # What is still being retried is given up by this, and the thread ends.
        self._span_exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK forgot the annotation
        self._metric_exporter.shutdown()
        self._thread.join(seconds)
        if self.dropped:
            _log.warning("spans.not_exported", extra={"spans": self.dropped})

    def _run(self) -> None:
        due_ns = self._started_ns + self._metrics_interval_ns
        while not self._stop.wait(_SPANS_INTERVAL_SECONDS):
            self._export_spans()
            if self._now_ns() >= due_ns:
                due_ns = self._now_ns() + self._metrics_interval_ns
                self._export_metrics()
        self._export_spans()
        self._export_metrics()

    def _export_spans(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), _AT_ONCE))]
            # The exporter retries, logs what went wrong and never raises.
            if self._span_exporter.export([self._sdk_span(span) for span in batch]).name != "SUCCESS":
                self.dropped += len(batch)

    def _export_metrics(self) -> None:
        now_ns = self._now_ns()
        self._metric_exporter.export(
            sdk.MetricsData(
                [
                    sdk.ResourceMetrics(
                        self._resource(metrics.service),
                        [sdk.ScopeMetrics(_SCOPE, self._sdk_metrics(metrics, now_ns), "")],
                        "",
                    )
                    for metrics in self._metrics
                ]
            )
        )

    def _resource(self, service: str) -> Resource:
        resource = self._resources.get(service)
        if resource is None:
            resource = self._resources[service] = Resource.create(
                {"service.namespace": "ordermesh", "service.name": service, "service.instance.id": self._instance}
            )
        return resource

    def _sdk_span(self, span: Span) -> ReadableSpan:
        parent = SpanContext(span.trace_id, span.parent_id, span.sampled) if span.parent_id else None
        return ReadableSpan(
            span.name,
            context=_sdk_context(span.context()),
            parent=_sdk_context(parent) if parent else None,
            resource=self._resource(span.service),
            attributes=span.attributes,
            links=[Link(_sdk_context(link)) for link in span.links],
            kind=_KINDS[span.kind],
            status=Status(StatusCode[span.status.upper()], span.status_message or None),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=_SCOPE,
        )

    def _sdk_metrics(self, metrics: Metrics, now_ns: int) -> list[sdk.Metric]:
        converted = []
        for instrument in metrics.instruments():
            data = self._sdk_data(instrument, now_ns)
            if data.data_points:
                about = instrument.definition
                converted.append(sdk.Metric(about.name, about.description, about.unit, data))
        return converted

    def _sdk_data(self, instrument: Counter | Gauge | Histogram, now_ns: int) -> sdk.Sum | sdk.Gauge | sdk.Histogram:
        names = instrument.definition.labels
        match instrument:
            case Histogram():
                points = [
                    sdk.HistogramDataPoint(
                        attributes=_attributes(names, labels),
                        start_time_unix_nano=self._started_ns,
                        time_unix_nano=now_ns,
                        count=one.count,
                        sum=one.total,
                        bucket_counts=one.buckets,
                        explicit_bounds=instrument.boundaries,
                        min=one.smallest,
                        max=one.largest,
                    )
                    for labels, one in instrument.read().items()
                ]
                return sdk.Histogram(points, sdk.AggregationTemporality.CUMULATIVE)
            case Counter():
                numbers = self._numbers(names, instrument.read(), now_ns)
                return sdk.Sum(numbers, sdk.AggregationTemporality.CUMULATIVE, is_monotonic=True)
            case Gauge():
                return sdk.Gauge(self._numbers(names, instrument.read(), now_ns))

    def _numbers(
        self, names: tuple[str, ...], values: dict[tuple[str, ...], float], now_ns: int
    ) -> list[sdk.NumberDataPoint]:
        return [
            sdk.NumberDataPoint(_attributes(names, labels), self._started_ns, now_ns, value)
            for labels, value in values.items()
        ]


def _attributes(names: tuple[str, ...], labels: tuple[str, ...]) -> dict[str, str]:
    return {name: label for name, label in zip(names, labels, strict=True) if label}


def _sdk_context(context: SpanContext) -> SdkSpanContext:
    return SdkSpanContext(
        context.trace_id,
        context.span_id,
        is_remote=False,
        trace_flags=_SAMPLED,
        trace_state=TraceState.from_header([context.tracestate]) if context.tracestate else None,
    )
