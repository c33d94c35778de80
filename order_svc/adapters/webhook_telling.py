"""The port `HookTelling` on the chassis' telemetry."""

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.telemetry import conventions
from chassis.telemetry.setup import Telemetry
from chassis.telemetry.spans import Span, SpanContext
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.webhook_ports import HookBacklog, Parcel
from order_svc.domain.webhook_delivery import Answer, Delivery, DeliveryState

_QUEUE = "webhook_deliveries"


class TelemetryHookTold:
    """An attempt while it is being made: its span and, at the end, its outcome."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.ended_as = "defect"

    def became(self, delivery: Delivery, outcome: Done[Answer] | NotDone[str] | Unknown) -> None:
        """Note how it ended."""
        match delivery.state:
            case DeliveryState.DELIVERED:
                self.ended_as = "delivered"
            case DeliveryState.FAILED:
                self.ended_as = "given_up"
            case DeliveryState.PENDING:
                self.ended_as = "gone" if isinstance(outcome, Done) and outcome.value.gone else "later"
        if self.ended_as != "delivered":
            self._span.fail(delivery.last_error)
        self._span.set(conventions.OUTCOME, self.ended_as)


class TelemetryHookTelling:
    """Spans, counts and gauges."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._tracer = telemetry.tracer
        self._metrics = telemetry.metrics

    @contextmanager
    def attempt(self, parcel: Parcel) -> Iterator[TelemetryHookTold]:
        """Surround one attempt: a trace of its own, linked to that in which the order was placed."""
        message = parcel.message
        placed_in = SpanContext.parse(message.traceparent) if message.traceparent else None
        with self._tracer.span(
            f"webhook {message.event_type}",
            "producer",
            parent=None,
            links=() if placed_in is None else (placed_in,),
            attributes={
                conventions.ORDER_ID: message.order_id,
                conventions.WEBHOOK_MESSAGE_ID: message.message_id,
                conventions.WEBHOOK_ENDPOINT_ID: parcel.endpoint.endpoint_id,
                conventions.ATTEMPT: parcel.delivery.attempts + 1,
            },
        ) as span:
            told = TelemetryHookTold(span)
            try:
                yield told
            finally:
                self._metrics.webhook_deliveries.add(told.ended_as)

    def backlog(self, backlog: HookBacklog) -> None:
        """Note what is not delivered."""
        self._metrics.outbox_depth.set(backlog.waiting, _QUEUE)
        self._metrics.outbox_age.set(backlog.oldest_seconds, _QUEUE)
