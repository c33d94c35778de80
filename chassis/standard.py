"""What every service of the mesh serves with: the chain of layers, and the server that has it around each handler."""

from chassis.access.contexts import Contexts
from chassis.access.keys import TrustedKeys
from chassis.access.settings import AccessSettings
from chassis.admission import Admission
from chassis.layers import Chain, Seat
from chassis.limits import Limits
from chassis.server import MAXIMUM_MESSAGE_BYTES, Server
from chassis.serving.admission import AdmissionLayer
from chassis.serving.authorisation import AuthorisationLayer
from chassis.serving.deadline import DeadlineLayer
from chassis.serving.errors import ErrorsLayer
from chassis.serving.identity import CallerIdentity
from chassis.serving.telemetry import TelemetryLayer
from chassis.serving.validation import ValidationLayer
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.setup import Telemetry
from chassis.telemetry.spans import Tracer
from chassis.trust import peer
from chassis.trust.transport import Transport
from kernel.clock import Clock, SystemClock
from kernel.ids import Ids


def standard_chain(
    tracer: Tracer,
    metrics: Metrics,
    ids: Ids,
    service_of: peer.ServiceOf = peer.on_loopback,
    *,
    service: str = "",
    access: AccessSettings | None = None,
    clock: Clock | None = None,
    admission: Admission | None = None,
) -> Chain:
    """Return the chain.

    Args:
        tracer: Records a span per call.
        metrics: Counts calls.
        ids: Names defects.
        service_of: Says who is at the other end of a connection; the transport's own.
        service: The part of the mesh that serves: "order". Contexts of callers that were made for others do not count.
        access: Whose word on callers counts, and what was granted to other teams; nobody's, and nothing, unless given.
        clock: The time; the machine's own unless another is given.
        admission: How much is taken on; as much as is usual behind the first service unless one is given.
    """
    settings, now = access or AccessSettings(), clock or SystemClock()
    contexts = Contexts(service, TrustedKeys(settings.caller_keys, now), now)
    return Chain(
        {
            Seat.TELEMETRY: TelemetryLayer(tracer, metrics),
            Seat.ERRORS: ErrorsLayer(ids),
            Seat.IDENTITY: CallerIdentity(service_of, contexts, settings.grants),
            Seat.AUTHORISATION: AuthorisationLayer(),
            Seat.DEADLINE: DeadlineLayer(),
            Seat.ADMISSION: AdmissionLayer(admission or Admission(Limits())),
            Seat.VALIDATION: ValidationLayer(),
        }
    )


def standard_server(
    service: str,
    telemetry: Telemetry,
    ids: Ids,
    transport: Transport,
    admission: Admission,
    access: AccessSettings,
    *,
    worker: int,
    maximum_message_bytes: int = MAXIMUM_MESSAGE_BYTES,
) -> Server:
    """Return the server of a part, with nothing served yet.

    Args:
        service: The part of the mesh that serves: "order".
        telemetry: What it records with.
        ids: Names defects.
        transport: How it is reached.
        admission: How much it takes on.
        access: Whose word on callers counts, what was granted to other teams, and whether it tells what it serves.
        worker: Which of the processes it is in that share the address; 0 where it has it for itself.
        maximum_message_bytes: The largest request.
    """
    chain = standard_chain(
        telemetry.tracer,
        telemetry.metrics,
        ids,
        transport.service_of,
        service=service,
        access=access,
        admission=admission,
    )
    return Server(
        chain,
        transport,
        with_reflection=access.reflection,
        shared_port=worker > 0,
        maximum_message_bytes=maximum_message_bytes,
    )
