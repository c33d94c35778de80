"""Metrics as Prometheus reads them: the text, and the small server that it reads it from.

Names are those that Prometheus gives to what comes by OTLP, so that one dashboard and one set of alerts serve
both ways: `ordermesh.outbox.age` in seconds is `ordermesh_outbox_age_seconds`, and the service is the label `job`:
"ordermesh/order". This module is imported only when somebody reads.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from chassis.telemetry.metrics import Counter, Definition, Gauge, Histogram, Metrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of `text`."""

_UNITS = {"s": "_seconds"}


def text(every: Sequence[Metrics]) -> bytes:
    """Return the metrics of these services in Prometheus's text format."""
    return generate_latest(_registry(lambda: every))


def listen(address: str, every: Callable[[], Sequence[Metrics]]) -> Callable[[], None]:
    """Serve `/metrics` on a thread of its own, and return what ends it.

    Args:
        address: "host:port".
        every: Returns the metrics of all services in this process.

    Raises:
        OSError: The address is taken, or not ours.
    """
    host, _, port = address.rpartition(":")
    server, thread = start_http_server(int(port), host.strip("[]"), _registry(every))

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end


def exported_name(about: Definition, instrument: type[Counter | Gauge | Histogram]) -> str:
    """Return what an instrument is called in Prometheus: "ordermesh_orders_total"."""
    return _family_name(about) + ("_total" if instrument is Counter else "")


def _family_name(about: Definition) -> str:
    return about.name.replace(".", "_") + _UNITS.get(about.unit, "")


def _registry(every: Callable[[], Sequence[Metrics]]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Instruments(every))
    return registry


class _Instruments(Collector):
    """Our instruments, read when Prometheus asks."""

    def __init__(self, every: Callable[[], Sequence[Metrics]]) -> None:
        self._every = every

    def describe(self) -> Iterable[Metric]:
        """Return nothing: names are known when there are values."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the instruments that have values; those of one name in one family, as the format asks for."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily] = {}
        for metrics in self._every():
            job = f"ordermesh/{metrics.service}"
            for instrument in metrics.instruments():
                family = families.setdefault(instrument.definition.name, _family(instrument))
                _fill(family, instrument, job)
        return [family for family in families.values() if family.samples]


def _family(instrument: Counter | Gauge | Histogram) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    about = instrument.definition
    labels = ["job", *(name.replace(".", "_") for name in about.labels)]
    match instrument:
        case Counter():
            return CounterMetricFamily(_family_name(about), about.description, labels=labels)
        case Gauge():
            return GaugeMetricFamily(_family_name(about), about.description, labels=labels)
        case Histogram():
            return HistogramMetricFamily(_family_name(about), about.description, labels=labels)


def _fill(
    family: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily,
    instrument: Counter | Gauge | Histogram,
    job: str,
) -> None:
    if isinstance(instrument, Histogram):
        assert isinstance(family, HistogramMetricFamily), "one name belongs to one kind of instrument"
        bounds = [*(f"{boundary:g}" for boundary in instrument.boundaries), "+Inf"]
        for labels, one in instrument.read().items():
            buckets = list(zip(bounds, map(float, accumulate(one.buckets)), strict=True))
            family.add_metric((job, *labels), buckets, one.total)
        return
    assert not isinstance(family, HistogramMetricFamily), "one name belongs to one kind of instrument"
    for labels, value in instrument.read().items():
        family.add_metric((job, *labels), value)
