"""docs/metrics.md: every instrument of a service, by the name that Prometheus knows it under."""

from chassis.telemetry.exposition import exported_name
from chassis.telemetry.metrics import Metrics
from cli.reference.table import table

_HEADING = """\
# Metrics reference

<!-- Written by `ordermesh reference` from chassis/telemetry/metrics.py. -->

What each part counts and measures. Prometheus reads it at `/metrics`: of a process at `ORDERMESH_METRICS_ADDR`, and at
the gateway's own address where only this machine reaches it. An OpenTelemetry collector gets the same by OTLP
(`OTEL_EXPORTER_OTLP_ENDPOINT`), under the names in the second column. The label `job` says which part it is:
`ordermesh/order`. `deploy/grafana/ordermesh.json` draws them, `deploy/prometheus/alerts.yaml` watches them, and
[runbook.md](runbook.md) says what to do when an alert fires.
"""


def page() -> str:
    """Return the page."""
    rows = (
        (
            f"`{exported_name(each.definition, type(each))}`",
            f"`{each.definition.name}`",
            type(each).__name__.lower(),
            each.definition.unit,
            ", ".join(f"`{label.replace('.', '_')}`" for label in each.definition.labels),
            each.definition.description,
        )
        for each in Metrics("order").instruments()
    )
    heads = ("In Prometheus", "By OTLP", "Kind", "Unit", "Labels", "What it is")
    return f"{_HEADING}\n{table(heads, sorted(rows))}\n"
