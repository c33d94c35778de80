"""The port `Telling` on the chassis' telemetry."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.telemetry import conventions
from chassis.telemetry.setup import Telemetry
from chassis.telemetry.spans import AttributeValue, Span, SpanContext
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.app.ports import Backlog, Postponed, Refused
from notify_svc.domain.notification import Notification

_logger = logging.getLogger(__name__)

_QUEUE = "mail"


class TelemetryTold:
    """An attempt while it is under way."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def outcome(self, outcome: Done[str] | NotDone[Refused | Postponed] | Unknown) -> None:
        """Note how it ended."""
        match outcome:
            case Done():
                self._span.set(conventions.OUTCOME, "sent")
            case NotDone(reason):
                self._fail("refused" if isinstance(reason, Refused) else "postponed", reason.why)
            case Unknown(cause):
                self._fail("unknown", cause)

    def _fail(self, outcome: str, why: str) -> None:
        self._span.set(conventions.OUTCOME, outcome)
        self._span.fail(why)


class TelemetryTelling:
    """Spans and gauges."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._tracer = telemetry.tracer
        self._metrics = telemetry.metrics

    @contextmanager
    def attempt(self, notification: Notification) -> Iterator[TelemetryTold]:
        """Surround one attempt: a trace of its own, linked to the one in which the notification was asked for."""
        asked_in = SpanContext.parse(notification.traceparent)
        attributes: dict[str, AttributeValue] = {
            conventions.ORDER_ID: notification.summary.order_id,
            conventions.NOTIFICATION_ID: notification.notification_id,
            conventions.ATTEMPT: notification.attempts,
        }
        links = () if asked_in is None else (asked_in,)
        with self._tracer.span("send mail", "consumer", parent=None, links=links, attributes=attributes) as span:
            yield TelemetryTold(span)

    def parked(self, notification: Notification) -> None:
        """Raise an alert: this one is not sent any more, and nobody knows whether it arrived."""
        _logger.error(
            "mail.parked",
            extra={
                "notification_id": notification.notification_id,
                "order_id": notification.summary.order_id,
                "attempts": notification.attempts,
            },
        )

    def waiting(self, backlog: Backlog) -> None:
        """Note what waits."""
        self._metrics.outbox_depth.set(backlog.depth, _QUEUE)
        self._metrics.outbox_age.set(backlog.oldest_seconds, _QUEUE)
