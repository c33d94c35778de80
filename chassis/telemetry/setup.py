"""Telemetry of a process, put together: one store, one thread, and a tracer and metrics for each service in it."""

import asyncio
import random
import time
from collections.abc import Callable
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
        self._export = export
        self._now_ns = now_ns
        # Not the system's generator, which costs six times as much: ids must be unique, not secret.
        self._random_bits = random.Random().getrandbits  # noqa: S311  (as said above)

    def telemetry(self, service: str) -> Telemetry:
        metrics = Metrics(service)
        if self._export is not None:
            self._export.watch(metrics)
        return Telemetry(Tracer(service, self.pipeline, self._now_ns, self._random_bits), metrics, self)

    def shutdown(self) -> None:
        self.pipeline.shutdown()
        if self._export is not None:
            self._export.shutdown(_EXPORT_AT_END_SECONDS)


def start_telemetry(service: str, data_dir: Path, otlp_endpoint: str | None) -> Telemetry:
    """Start recording for a service; call it once per process and `for_service` for further services in it.

    Args:
        service: Name of the service: "order".
        data_dir: Where the span store lies; other processes may use the same.
        otlp_endpoint: Base address of an OpenTelemetry collector; None or empty exports nothing.
    """
    now_ns = time.time_ns  # noqa: TID251  (spans need nanoseconds, which a Clock's datetime does not have)
    export = None
    if otlp_endpoint:
        from chassis.telemetry.otlp import OtlpExport  # noqa: PLC0415  (the SDK takes memory that most processes save)

        export = OtlpExport(otlp_endpoint, f"{random.SystemRandom().getrandbits(64):016x}", now_ns)
        export.start()
    pipeline = Pipeline(data_dir / SPANS_FILE, export, now_ns)
    pipeline.start()
    return _Process(pipeline, export, now_ns).telemetry(service)
