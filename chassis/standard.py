"""The chain of layers that every service of the mesh serves with."""

from chassis.layers import Chain, Seat
from chassis.serving.authorisation import AuthorisationLayer
from chassis.serving.deadline import DeadlineLayer
from chassis.serving.errors import ErrorsLayer
from chassis.serving.identity import ConnectionIdentity
from chassis.serving.telemetry import TelemetryLayer
from chassis.serving.validation import ValidationLayer
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Tracer
from chassis.trust import peer
from kernel.ids import Ids


def standard_chain(tracer: Tracer, metrics: Metrics, ids: Ids, service_of: peer.ServiceOf = peer.on_loopback) -> Chain:
    """Return the chain; the seat of admission is empty so far.

    Args:
        tracer: Records a span per call.
        metrics: Counts calls.
        ids: Names defects.
        service_of: Says who is at the other end of a connection; the transport's own.
    """
    return Chain(
        {
            Seat.TELEMETRY: TelemetryLayer(tracer, metrics),
            Seat.ERRORS: ErrorsLayer(ids),
            Seat.IDENTITY: ConnectionIdentity(service_of),
            Seat.AUTHORISATION: AuthorisationLayer(),
            Seat.DEADLINE: DeadlineLayer(),
            Seat.VALIDATION: ValidationLayer(),
        }
    )
