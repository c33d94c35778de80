"""Telemetry of a process, put together: one store, one thread, and a tracer and metrics for each service in it."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chassis.telemetry.metrics import Metrics
from chassis.telemetry.pipeline import Pipeline
from chassis.telemetry.spans import Tracer

if TYPE_CHECKING:
    from chassis.telemetry.otlp import OtlpExport

SPANS_FILE: Final = "spans.db"
"""Name of the span store within a data directory."""

# A collector that is down must not hold up a process that stops; what it would have got is in the local store.
_EXPORT_AT_END_SECONDS = 3.0


class Telemetry:
    """What one service records with.

    Attributes:
        tracer: Makes its spans.
        metrics: Its numbers.
    """

    def __init__(self, tracer: Tracer, metrics: Metrics, process: "_Process") -> None:
        self.tracer = tracer
        self.metrics = metrics
        self._process = process

    def for_service(self, service: str) -> "Telemetry":
        """Return what another service of this process records with; stopping any of them stops all."""
        return self._process.telemetry(service)

    @property
    def every_service(self) -> Sequence[Metrics]:
        """Return the numbers of all services in this process."""
        return self._process.metrics

    def flush(self) -> None:
        """Store the spans finished so far. Blocks for as long as writing takes."""
        self._process.pipeline.flush()

    def shutdown(self) -> None:
        """Store and export what is left and stop. Blocks, at most a few seconds."""
        self._process.shutdown()

    async def aclose(self) -> None:
        """Do the same without blocking the event loop."""
        await asyncio.to_thread(self.shutdown)


class _Process:
    """What the services of a process share."""

    def __init__(self, pipeline: Pipeline, export: "OtlpExport | None", now_ns: Callable[[], int]) -> None:
        self.pipeline = pipeline
        self.metrics: list[Metrics] = []
        self._export = export
        self._end_listening: Callable[[], None] = _nothing
        self._now_ns = now_ns
        # Not the system's generator, which costs six times as much: ids must be unique, not secret.
        self._random_bits = random.Random().getrandbits  # noqa: S311  (as said above)

    def telemetry(self, service: str) -> Telemetry:
        metrics = Metrics(service)
        self.metrics.append(metrics)
        if self._export is not None:
            self._export.watch(metrics)
        return Telemetry(Tracer(service, self.pipeline, self._now_ns, self._random_bits), metrics, self)

    def listen(self, address: str) -> None:
        from chassis.telemetry.exposition import listen  # noqa: PLC0415  (memory that most processes save)

        self._end_listening = listen(address, lambda: self.metrics)

    def shutdown(self) -> None:
        self._end_listening()
        self.pipeline.shutdown()
        if self._export is not None:
            self._export.shutdown(_EXPORT_AT_END_SECONDS)


def _nothing() -> None:
    """Do nothing: there is nothing to end."""


def start_telemetry(service: str, data_dir: Path, otlp_endpoint: str | None, metrics_address: str = "") -> Telemetry:
    """Start recording for a service; call it once per process and `for_service` for further services in it.

    Args:
        service: Name of the service: "order".
        data_dir: Where the span store lies; other processes may use the same.
        otlp_endpoint: Base address of an OpenTelemetry collector; None or empty exports nothing.
        metrics_address: "host:port" at which Prometheus reads `/metrics`; empty for nowhere.

    Raises:
        OSError: Nobody can listen at the metrics' address.
    """
    now_ns = time.time_ns  # noqa: TID251  (spans need nanoseconds, which a Clock's datetime does not have)
    export = None
    if otlp_endpoint:
        from chassis.telemetry.otlp import OtlpExport  # noqa: PLC0415  (the SDK takes memory that most processes save)

        export = OtlpExport(otlp_endpoint, f"{random.SystemRandom().getrandbits(64):016x}", now_ns)
        export.start()
    pipeline = Pipeline(data_dir / SPANS_FILE, export, now_ns)
    pipeline.start()
    process = _Process(pipeline, export, now_ns)
    if metrics_address:
        process.listen(metrics_address)
    return process.telemetry(service)
