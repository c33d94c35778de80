"""RFC 9457 problems: one table from refusals to HTTP statuses, and the document that tells the caller."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

import grpc
import orjson

from chassis.errors import CODES, refusal_of, without_secrets
from gateway.access.challenge import challenge
from kernel.errors import FieldViolation, Reason, Refusal

MEDIA_TYPE = "application/problem+json"
DOCUMENTATION = "/docs"

# google/rpc/code.proto, with two differences: a command that the state does not allow conflicts with that state rather
# than being malformed (409), and CANCELLED comes from a service that stops (503): who went away gets no answer.
_BY_CODE: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
}

# Where HTTP has a word of its own for the reason.
_BY_REASON: Mapping[Reason, int] = {
    Reason.PAYMENT_DECLINED: 402,
    Reason.REQUEST_TOO_LARGE: 413,
    Reason.SIGNATURE_INVALID: 400,
}

# Facts that callers branch on stand at the top level as well: member by metadata key.
_MEMBERS: Mapping[str, str] = {"declineCode": "decline_code", "orderId": "order_id"}

# What a status without any detail of ours means: gRPC itself made it, and its words are about sockets and sizes.
_FROM_TRANSPORT: Mapping[grpc.StatusCode, tuple[Reason, str, float | None]] = {
    grpc.StatusCode.UNAVAILABLE: (
        Reason.UNAVAILABLE,
        "A part of the backend cannot be reached now. Send the same request again, with the same Idempotency-Key.",
        1.0,
    ),
    grpc.StatusCode.CANCELLED: (
        Reason.UNAVAILABLE,
        "A part of the backend is stopping. Send the same request again, with the same Idempotency-Key.",
        1.0,
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        Reason.DEADLINE_EXCEEDED,
        "No answer came in time. What was accepted goes on; the same Idempotency-Key gives the answer later.",
        None,
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (Reason.OVERLOADED, "The backend has all the work it can hold.", 1.0),
    grpc.StatusCode.UNIMPLEMENTED: (Reason.NOT_IMPLEMENTED, "The backend does not offer this yet.", None),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request was not done.

    Attributes:
        status: The HTTP status.
        reason: The machine-readable reason: a name of ordermesh.errors.v1.ErrorReason without its prefix.
        detail: A sentence for a person.
        errors: The fields that are wrong.
        metadata: Facts for the caller's program, lowerCamelCase keys.
        headers: Response headers that belong to it.
    """

    status: int
    reason: str
    detail: str
    errors: tuple[FieldViolation, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the problem's members."""
        members: dict[str, Any] = {
            "type": f"{DOCUMENTATION}#{self.reason}",
            "title": self.reason.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "reason": self.reason,
        }
        if self.errors:
            members["errors"] = [{"field": e.field, "description": e.description} for e in self.errors]
        if self.metadata:
            members["metadata"] = dict(self.metadata)
            members.update({name: self.metadata[key] for key, name in _MEMBERS.items() if key in self.metadata})
        return members

    def body(self) -> bytes:
        """Return the document as JSON."""
        return orjson.dumps(self.document())


def of_refusal(refusal: Refusal, *, status: int | None = None, headers: Mapping[str, str] | None = None) -> Problem:
    """Return the problem that tells of a refusal; `status` where only the caller knows it (404 or 405)."""
    every = {**challenge(refusal), **(headers or {})}
    refusal = without_secrets(refusal)
    if refusal.retry_after is not None:
        every["Retry-After"] = str(max(1, math.ceil(refusal.retry_after)))
    return Problem(
        status=status or status_of(refusal.reason),
        reason=refusal.reason.value,
        detail=refusal.message,
        errors=refusal.fields,
        metadata=refusal.metadata,
        headers=every,
    )


def status_of(reason: Reason) -> int:
    """Return the HTTP status of a reason."""
    return _BY_REASON.get(reason) or _BY_CODE[CODES[reason]]


def of_rpc_error(error: grpc.aio.AioRpcError) -> Problem | None:
    """Return the problem that a failed call tells of; None when it is a defect whose cause must not be shown."""
    code = error.code()
    status = _BY_CODE.get(code, int(HTTPStatus.INTERNAL_SERVER_ERROR))
    refusal = refusal_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return of_refusal(refusal) if refusal is not None and "errorId" in refusal.metadata else None
    if refusal is not None and refusal.reason is Reason.UNAUTHENTICATED:
        # It is us whom the service does not know: nothing that the client could mend by other credentials.
        return of_refusal(Refusal(Reason.UNAVAILABLE, "The backend does not know this gateway.", retry_after=5.0))
    if refusal is None and code in _FROM_TRANSPORT:
        reason, detail, retry_after = _FROM_TRANSPORT[code]
        return of_refusal(Refusal(reason, detail, retry_after=retry_after))
    if refusal is None:
        return Problem(status=status, reason=code.name, detail=f"The backend refused the request with {code.name}.")
    told = of_refusal(refusal)
    if refusal.reason is Reason.INTERNAL:
        # A reason that is newer than this gateway: its code still says what kind of refusal it is.
        return replace(told, status=status, reason=code.name)
    return told


def of_defect(error_id: str) -> Problem:
    """Return the problem that tells of a defect: an id that our log has too, and nothing else."""
    detail = "Something went wrong on our side. Name the errorId when you ask us about it."
    return of_refusal(Refusal(Reason.INTERNAL, detail, metadata={"errorId": error_id}))


def of_condition(told: Problem) -> Problem:
    """Return the problem as who sent If-Match is told of it: HTTP has a status for a version that is gone."""
    if told.reason != Reason.VERSION_MISMATCH.value:
        return told
    return replace(told, status=int(HTTPStatus.PRECONDITION_FAILED))


def of_no_route() -> Problem:
    """Return the problem that nothing is at the path."""
    return of_refusal(Refusal(Reason.ROUTE_NOT_FOUND, f"There is nothing here; {DOCUMENTATION} lists what there is."))


def of_wrong_method(allowed: Iterable[str]) -> Problem:
    """Return the problem that the path answers to other methods only."""
    allow = ", ".join(allowed)
    refusal = Refusal(Reason.ROUTE_NOT_FOUND, f"This path answers to {allow} only.")
    return of_refusal(refusal, status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": allow})
