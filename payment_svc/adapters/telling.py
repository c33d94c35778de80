"""The port `Telling` on the chassis' telemetry."""

from chassis.telemetry.metrics import Metrics
from payment_svc.app.events import EventEnd


class TelemetryTelling:
    """Counters."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def event(self, end: EventEnd) -> None:
        """Count what a webhook event came to."""
        self._metrics.webhook_events.add("stripe", end.value)

    def open_disputes(self, count: int) -> None:
        """Say how many disputes are open."""
        self._metrics.open_disputes.set(count)
