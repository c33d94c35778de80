"""One table from our refusals to gRPC codes, and both directions of the translation.

Outwards: a google.rpc.Status with one ErrorInfo, a BadRequest where fields are wrong, a RetryInfo with a known wait.
Inwards: the same details become a Refusal again, or Unknown where a failed call may have had its effect.
"""

import math
from dataclasses import dataclass

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis.redaction import redact
from kernel.errors import FieldViolation, Reason, Refusal
from kernel.outcome import NotDone, Unknown

_DOMAIN = "ordermesh"
_PUSHBACK = "grpc-retry-pushback-ms"

CODES: dict[Reason, grpc.StatusCode] = {
    Reason.VALIDATION_FAILED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.REQUEST_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
    Reason.ORDER_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.PAYMENT_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.NOTIFICATION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.PAYMENT_DECLINED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.PAYMENT_METHOD_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.ADDRESS_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.ILLEGAL_STATE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.VERSION_MISMATCH: grpc.StatusCode.ABORTED,
    Reason.REFUND_EXCEEDS_PAYMENT: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.SIGNATURE_INVALID: grpc.StatusCode.UNAUTHENTICATED,
    Reason.NOT_IMPLEMENTED: grpc.StatusCode.UNIMPLEMENTED,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
    Reason.AMOUNT_OUT_OF_RANGE: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.PROVIDER_REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.REQUEST_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.ROUTE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.PROVIDER_CONTRADICTS: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.TAX_UNAVAILABLE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.WEBHOOK_ENDPOINT_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.WEBHOOK_DELIVERY_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.CARD_NUMBER_REFUSED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CUSTOMER_LIMIT_REACHED: grpc.StatusCode.RESOURCE_EXHAUSTED,
}

# Our own reasons that are no answer to the request: after the first three the effect may have happened or may still be
# happening; with the others an operator has to act, and the same call may succeed afterwards.
_OPEN_REASONS = frozenset(
    {
        Reason.UNAVAILABLE,
        Reason.DEADLINE_EXCEEDED,
        Reason.INTERNAL,
        Reason.OVERLOADED,
        Reason.NOT_IMPLEMENTED,
        Reason.UNAUTHENTICATED,
        Reason.PERMISSION_DENIED,
    }
)

# The trailers of a call hold 8 KiB, and the message stands in them twice. With more a caller would hear of nothing but
# trailers that are too large.
_LONGEST_MESSAGE = 800
_LONGEST_DESCRIPTION = 200
_MOST_FIELDS = 10


def to_status(refusal: Refusal) -> status_pb2.Status:
    """Return the refusal as the google.rpc.Status that travels in the trailers."""
    refusal = without_secrets(refusal)
    details: list[any_pb2.Any] = []
    info = error_details_pb2.ErrorInfo(reason=refusal.reason.value, domain=_DOMAIN, metadata=refusal.metadata)
    details.append(_packed(info))
    if refusal.fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=each.field, description=_cut(each.description, _LONGEST_DESCRIPTION)
            )
            for each in refusal.fields[:_MOST_FIELDS]
        ]
        details.append(_packed(error_details_pb2.BadRequest(field_violations=violations)))
    if refusal.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(refusal.retry_after * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    code: int = CODES[refusal.reason].value[0]
    return status_pb2.Status(code=code, message=_cut(refusal.message, _LONGEST_MESSAGE), details=details)


def without_secrets(refusal: Refusal) -> Refusal:
    """Return the refusal as a caller may read it: code that names a field too freely tells nobody what was in it."""
    fields = tuple(FieldViolation(redact(each.field), redact(each.description)) for each in refusal.fields)
    metadata = {name: redact(value) for name, value in refusal.metadata.items()}
    return Refusal(
        refusal.reason, redact(refusal.message), metadata=metadata, fields=fields, retry_after=refusal.retry_after
    )


def to_grpc_status(refusal: Refusal) -> grpc.Status:
    """Return the refusal in the form that `context.abort_with_status` takes."""
    status = rpc_status.to_status(to_status(refusal))
    if refusal.reason is Reason.OVERLOADED and refusal.retry_after is not None:
        # gRFC A6: a client that retries by itself waits as long as this says.
        wait = str(max(1, math.ceil(refusal.retry_after * 1000)))
        return _Status(status.code, status.details, (*status.trailing_metadata, (_PUSHBACK, wait)))
    return status


@dataclass(frozen=True, slots=True)
class _Status(grpc.Status):
    """A grpc.Status, which grpc itself only declares."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def from_rpc_error(error: grpc.aio.AioRpcError) -> NotDone[Refusal] | Unknown:
    """Return what a failed call means for its effect.

    A refusal with our own ErrorInfo says that nothing was done, except for the reasons that leave it open. Anything the
    transport made up itself leaves it open as well: a server that is killed answers UNAVAILABLE after having done the
    work, and UNIMPLEMENTED comes from a wrong address or from a peer that is older than we are.
    """
    refusal = refusal_of(error)
    if refusal is None:
        return Unknown(cause=f"rpc {error.code().name}")
    if refusal.reason in _OPEN_REASONS:
        return Unknown(cause=f"rpc {refusal.reason.value}", retry_after=refusal.retry_after)
    return NotDone(refusal)


def refusal_of(error: grpc.aio.AioRpcError) -> Refusal | None:
    """Return the Refusal that a peer of ours sent, or None where the error carries no ErrorInfo of ours."""
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it reads code, details and trailers only
    except (ValueError, DecodeError):  # a code that contradicts the details, details that are no message
        return None
    if status is None:
        return None
    reason: Reason | None = None
    metadata: dict[str, str] = {}
    fields: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None
    for detail in status.details:
        info, bad_request, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info) and info.domain == _DOMAIN:
            reason = Reason(info.reason) if info.reason in Reason.__members__ else Reason.INTERNAL
            metadata = dict(info.metadata)
        elif detail.Unpack(bad_request):
            fields = tuple(FieldViolation(each.field, each.description) for each in bad_request.field_violations)
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    if reason is None:
        return None
    return Refusal(reason, status.message, metadata=metadata, fields=fields, retry_after=retry_after)


def _cut(text: str, longest: int) -> str:
    """Return as much of the text as grpc writes in that many bytes: three for each one that is not ASCII."""
    room = longest
    for position, character in enumerate(text):
        room -= 1 if character.isascii() else 3 * len(character.encode())
        if room < 0:
            return f"{text[:position]}…"
    return text


def _packed(message: error_details_pb2.ErrorInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
