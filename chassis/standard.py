"""The chain of layers that every service of the mesh serves with."""

from chassis.layers import Chain, Seat
from chassis.serving.deadline import DeadlineLayer
from chassis.serving.errors import ErrorsLayer
from chassis.serving.identity import LoopbackIdentity
from chassis.serving.telemetry import TelemetryLayer
from chassis.serving.validation import ValidationLayer
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Tracer
from kernel.ids import Ids


def standard_chain(tracer: Tracer, metrics: Metrics, ids: Ids) -> Chain:
    """Return the chain; the seats of authorisation and admission are empty while only loopback is served."""
    return Chain(
        {
            Seat.TELEMETRY: TelemetryLayer(tracer, metrics),
            Seat.ERRORS: ErrorsLayer(ids),
            Seat.IDENTITY: LoopbackIdentity(),
            Seat.DEADLINE: DeadlineLayer(),
            Seat.VALIDATION: ValidationLayer(),
        }
    )
