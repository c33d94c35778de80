"""Refusals: the errors that a caller can understand and act on.

Product code raises a Refusal with a Reason; chassis/errors.py turns it into a gRPC status and back, in one table.
Anything else that escapes is a defect and reaches the caller only as INTERNAL with an id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a call was refused: the names of ordermesh.errors.v1.ErrorReason without their prefix; a test compares."""

    VALIDATION_FAILED = "VALIDATION_FAILED"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    PAYMENT_NOT_FOUND = "PAYMENT_NOT_FOUND"
    NOTIFICATION_NOT_FOUND = "NOTIFICATION_NOT_FOUND"
    PAYMENT_DECLINED = "PAYMENT_DECLINED"
    PAYMENT_METHOD_INVALID = "PAYMENT_METHOD_INVALID"
    ADDRESS_INVALID = "ADDRESS_INVALID"
    ILLEGAL_STATE = "ILLEGAL_STATE"
    VERSION_MISMATCH = "VERSION_MISMATCH"
    REFUND_EXCEEDS_PAYMENT = "REFUND_EXCEEDS_PAYMENT"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    OVERLOADED = "OVERLOADED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    INTERNAL = "INTERNAL"
    AMOUNT_OUT_OF_RANGE = "AMOUNT_OUT_OF_RANGE"
    PROVIDER_REFUSED = "PROVIDER_REFUSED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    ROUTE_NOT_FOUND = "ROUTE_NOT_FOUND"
    PROVIDER_CONTRADICTS = "PROVIDER_CONTRADICTS"
    TAX_UNAVAILABLE = "TAX_UNAVAILABLE"
    WEBHOOK_ENDPOINT_NOT_FOUND = "WEBHOOK_ENDPOINT_NOT_FOUND"
    WEBHOOK_DELIVERY_NOT_FOUND = "WEBHOOK_DELIVERY_NOT_FOUND"
    CARD_NUMBER_REFUSED = "CARD_NUMBER_REFUSED"
    CUSTOMER_LIMIT_REACHED = "CUSTOMER_LIMIT_REACHED"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that is wrong.

    Attributes:
        field: Its path in the request: "items[0].quantity".
        description: What is wrong with it and what to do, for a person.
    """

    field: str
    description: str


class Refusal(Exception):
    """A call that is refused, or cannot be done now, for a reason that the caller is told.

    Attributes:
        reason: The machine-readable reason.
        message: One sentence for a person; never a secret, a stack trace or personal data.
        metadata: Facts for the caller's program, lowerCamelCase keys.
        fields: The fields that are wrong, when the reason is about fields.
        retry_after: Seconds after which another try makes sense, when that is known.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        fields: tuple[FieldViolation, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.fields = fields
        self.retry_after = retry_after

    @classmethod
    def of_field(cls, field: str, description: str, reason: Reason = Reason.VALIDATION_FAILED) -> "Refusal":
        """Return a refusal that is about exactly one field."""
        return cls(reason, f"{field}: {description}", fields=(FieldViolation(field, description),))
