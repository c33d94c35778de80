"""What operators can count of webhooks."""

from chassis.telemetry.metrics import Metrics
from payment_svc.adapters.telling import TelemetryTelling
from payment_svc.app.events import EventEnd


def test_events_are_counted_by_what_they_came_to() -> None:
    metrics = Metrics("payment")
    telling = TelemetryTelling(metrics)
    for end in (EventEnd.APPLIED, EventEnd.UNKNOWN, EventEnd.APPLIED):
        telling.event(end)

    assert metrics.webhook_events.read() == {("stripe", "applied"): 2, ("stripe", "unknown"): 1}


def test_open_disputes_are_told_as_they_are_now() -> None:
    metrics = Metrics("payment")
    telling = TelemetryTelling(metrics)
    for count in (2, 1):
        telling.open_disputes(count)

    assert metrics.open_disputes.read() == {(): 1}
