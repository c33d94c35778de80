"""An OpenTelemetry collector on a port of its own: takes OTLP over HTTP and keeps what it was sent."""

from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class OtlpCollector:
    """The collector.

    Attributes:
        spans: Each span with the attributes of its resource.
        metrics: Each metric with the attributes of its resource, in the order of the exports.
        status: What it answers with.
        got_spans: Set once spans arrived.
        got_metrics: Set once metrics arrived.
    """

    def __init__(self) -> None:
        self.spans: list[tuple[dict[str, object], Span]] = []
        self.metrics: list[tuple[dict[str, object], Metric]] = []
        self.status = 200
        self.got_spans = Event()
        self.got_metrics = Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if collector.status == 200:
                    collector._take(self.path, body)
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = attributes(of_resource.resource.attributes)
                self.spans += [(about, span) for scope in of_resource.scope_spans for span in scope.spans]
            self.got_spans.set()
        elif path == "/v1/metrics":
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                about = attributes(measured.resource.attributes)
                self.metrics += [(about, metric) for scope in measured.scope_metrics for metric in scope.metrics]
            self.got_metrics.set()


def attributes(pairs: Iterable[KeyValue]) -> dict[str, object]:
    """Return OTLP's attributes as a dict."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
