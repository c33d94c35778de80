"""What the sender tells: a span per attempt in a trace of its own, linked to the order's, a count, and what waits."""

from dataclasses import dataclass, replace

import pytest

from chassis.telemetry import conventions
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import SpanContext, Tracer
from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.webhook_telling import TelemetryHookTelling
from order_svc.app.webhook_ports import HookBacklog, Parcel
from order_svc.domain.webhook_delivery import MOST_ATTEMPTS, Answer, Delivery, after_attempt
from tests.fakes.order_samples import NOW
from tests.fakes.telemetry_sink import recording_tracer
from tests.fakes.webhook_samples import a_message, an_endpoint

PLACED_IN = SpanContext(7, 9, sampled=True)


@dataclass
class Telemetry:
    """The two things that telling asks of the chassis' telemetry."""

    tracer: Tracer
    metrics: Metrics


def a_parcel(attempts: int = 0) -> Parcel:
    message = a_message(traceparent=f"00-{7:032x}-{9:016x}-01")
    endpoint = an_endpoint()
    delivery = Delivery(
        "d", endpoint.endpoint_id, message.message_id, message.event_type, message.order_id, NOW, attempts=attempts
    )
    return Parcel(delivery, endpoint, message)


@pytest.mark.parametrize(
    ("outcome", "attempts", "word", "status"),
    [
        (Done(Answer(200)), 0, "delivered", ""),
        (Done(Answer(500)), 0, "later", "answered 500"),
        (NotDone("no connection"), 0, "later", "no connection"),
        (Unknown("timeout"), MOST_ATTEMPTS - 1, "given_up", "timeout"),
        (Done(Answer(410)), 0, "gone", "answered 410 Gone: the endpoint is switched off"),
    ],
)
def test_an_attempt_is_a_span_and_a_count(
    outcome: Done[Answer] | NotDone[str] | Unknown, attempts: int, word: str, status: str
) -> None:
    tracer, sink = recording_tracer()
    metrics = Metrics("order")
    telling = TelemetryHookTelling(Telemetry(tracer, metrics))  # type: ignore[arg-type]  # all that it uses
    parcel = a_parcel(attempts)

    with tracer.span("sweep"), telling.attempt(parcel) as told:
        told.became(after_attempt(parcel.delivery, outcome, NOW, 0.0), outcome)

    span = sink.spans[0]
    assert (span.name, span.kind, span.parent_id) == ("webhook order.paid", "producer", 0)
    assert [(link.trace_id, link.span_id) for link in span.links] == [(7, 9)]
    assert (span.attributes[conventions.OUTCOME], span.status_message) == (word, status)
    assert span.attributes[conventions.ORDER_ID] == parcel.message.order_id
    assert span.attributes[conventions.ATTEMPT] == attempts + 1
    assert span.attributes[conventions.WEBHOOK_MESSAGE_ID] == parcel.message.message_id
    assert parcel.endpoint.secrets[0].text not in repr(span.attributes)
    assert metrics.webhook_deliveries.read() == {(word,): 1}


def test_a_defect_is_counted_as_one() -> None:
    metrics = Metrics("order")
    telling = TelemetryHookTelling(Telemetry(recording_tracer()[0], metrics))  # type: ignore[arg-type]  # as above
    parcel = replace(a_parcel(), message=a_message(traceparent=""))

    with pytest.raises(ZeroDivisionError), telling.attempt(parcel):
        raise ZeroDivisionError

    assert metrics.webhook_deliveries.read() == {("defect",): 1}


def test_what_waits_is_told_beside_what_else_does() -> None:
    metrics = Metrics("order")
    telling = TelemetryHookTelling(Telemetry(recording_tracer()[0], metrics))  # type: ignore[arg-type]  # as above

    telling.backlog(HookBacklog(3, 12.5))

    assert metrics.outbox_depth.read() == {("webhook_deliveries",): 3}
    assert metrics.outbox_age.read() == {("webhook_deliveries",): 12.5}
