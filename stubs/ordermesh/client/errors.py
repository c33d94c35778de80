"""What a failed call raises: one class for each thing that a caller would do something else about.

docs/errors.md of Ordermesh says for each reason what to do. A reason that is newer than this client, and a failure that
the transport made up, become the class of their gRPC code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of the request that is wrong.

    Attributes:
        field: Its path: "items[0].quantity".
        description: What is wrong with it, for people.
    """

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failed call.

    Attributes:
        code: The gRPC code.
        message: What happened, for people.
        reason: A name of ordermesh.errors.v1.ErrorReason without its prefix: "PAYMENT_DECLINED". Empty when no service
            of Ordermesh answered.
        fields: What is wrong with the request.
        metadata: Facts beside the reason, as its proto comment lists them: {"orderId": "…"}.
        retry_after: Seconds to wait before the call makes sense again; None when nothing was said.
        request_id: The idempotency key that was sent. Empty for calls that have none.
        method: The RPC: "ordermesh.order.v1.OrderService/PlaceOrder".
    """

    code: grpc.StatusCode
    message: str
    reason: str = ""
    fields: tuple[FieldViolation, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    request_id: str = ""
    method: str = ""


class OrdermeshError(Exception):
    """A call failed. The attributes are those of Failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure
        self.code = failure.code
        self.message = failure.message
        self.reason = failure.reason
        self.fields = failure.fields
        self.metadata = failure.metadata
        self.retry_after = failure.retry_after
        self.request_id = failure.request_id
        self.method = failure.method

    def __str__(self) -> str:
        """Return what a log needs: the reason, the message, the RPC."""
        return f"{self.reason or self.code.name}: {self.message} ({self.method})"

    @property
    def outcome_unknown(self) -> bool:
        """Whether a command may have had its effect all the same. Repeat it with `request_id`, or read."""
        return True

    @property
    def order_id(self) -> str:
        """The order that the error is about, where it names one; else empty."""
        return self.metadata.get("orderId", "")


class Refused(OrdermeshError):
    """The service said no, and nothing was done beyond what the reason says. The same call gets the same answer."""

    @property
    def outcome_unknown(self) -> bool:
        """Never: it was answered."""
        return False


class ValidationFailed(Refused):
    """The request is wrong; `fields` names where."""


class AddressInvalid(ValidationFailed):
    """The address cannot be placed. Ask the buyer for it again."""


class PaymentMethodInvalid(ValidationFailed):
    """The payment provider refuses the payment method. Ask for another one."""


class AmountOutOfRange(ValidationFailed):
    """The payment provider takes no such amount in this currency."""

    @property
    def minimum_minor_units(self) -> int | None:
        """The least that it takes, when the amount was too small."""
        return _number(self.metadata.get("minimumMinorUnits"))

    @property
    def maximum_minor_units(self) -> int | None:
        """The most that it takes, when the amount was too large."""
        return _number(self.metadata.get("maximumMinorUnits"))


class RequestTooLarge(ValidationFailed):
    """The request is larger than the service takes."""


class RequestIdReused(Refused):
    """The request_id stood for another request already. A new request needs a new key."""


class NotFound(Refused):
    """What the request names does not exist, or the caller may not see it."""


class PaymentDeclined(Refused):
    """The card was declined; nothing was charged."""

    @property
    def decline_code(self) -> str:
        """Why: "insufficient_funds". Empty when the bank did not say."""
        return self.metadata.get("declineCode", "")


class IllegalState(Refused):
    """The state of the object does not allow the command."""

    @property
    def state(self) -> str:
        """The state that it is in: "SHIPPED"."""
        return self.metadata.get("state", "")

    @property
    def allowed(self) -> tuple[str, ...]:
        """What that state allows instead."""
        return tuple(each for each in self.metadata.get("allowed", "").replace(",", " ").split() if each)


class VersionMismatch(Refused):
    """The object changed since it was read. Read it again and decide anew."""


class RefundExceedsPayment(Refused):
    """More than what is left would be given back."""

    @property
    def refundable_minor_units(self) -> int | None:
        """What is left to give back."""
        return _number(self.metadata.get("refundableMinorUnits"))


class ProviderRefused(Refused):
    """A provider refused for good; nothing stays charged."""


class ProviderContradicts(Refused):
    """A provider's record differs from the order's. A person has to look."""


class TaxUnavailable(Refused):
    """AvaTax is away and the region allows no estimate. Order again later, under a new key."""


class Unauthenticated(Refused):
    """The caller is not known."""


class SignatureInvalid(Unauthenticated):
    """A webhook was not signed with the right secret, or is too old."""


class PermissionDenied(Refused):
    """The caller is known and may not do this."""


class NotImplementedYet(Refused):
    """The service has no such command: it is older than this client, or another service listens there."""


class Overloaded(Refused):
    """The service has all the work it can hold, and did not begin. Wait for `retry_after`."""


class CustomerLimitReached(Refused):
    """The customer had too many cards declined, or placed too many orders. Take no other card before `retry_after`."""

    @property
    def limit(self) -> str:
        """Which limit: "orders", "declines", "guest_declines"."""
        return self.metadata.get("limit", "")


class Unavailable(OrdermeshError):
    """No service could be reached, or one of its own peers could not. Repeat later with `request_id`."""


class DeadlineExceeded(OrdermeshError):
    """The answer did not come in time; what was accepted goes on. Repeat with `request_id`."""


class Internal(OrdermeshError):
    """A defect of the service; its log has the cause."""

    @property
    def error_id(self) -> str:
        """Where the service's log has it."""
        return self.metadata.get("errorId", "")


_BY_REASON: dict[str, type[OrdermeshError]] = {
    "VALIDATION_FAILED": ValidationFailed,
    "REQUEST_ID_REUSED": RequestIdReused,
    "ORDER_NOT_FOUND": NotFound,
    "PAYMENT_NOT_FOUND": NotFound,
    "NOTIFICATION_NOT_FOUND": NotFound,
    "ROUTE_NOT_FOUND": NotFound,
    "WEBHOOK_ENDPOINT_NOT_FOUND": NotFound,
    "WEBHOOK_DELIVERY_NOT_FOUND": NotFound,
    "PAYMENT_DECLINED": PaymentDeclined,
    "PAYMENT_METHOD_INVALID": PaymentMethodInvalid,
    "ADDRESS_INVALID": AddressInvalid,
    "ILLEGAL_STATE": IllegalState,
    "VERSION_MISMATCH": VersionMismatch,
    "REFUND_EXCEEDS_PAYMENT": RefundExceedsPayment,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "OVERLOADED": Overloaded,
    "CUSTOMER_LIMIT_REACHED": CustomerLimitReached,
    "SIGNATURE_INVALID": SignatureInvalid,
    "NOT_IMPLEMENTED": NotImplementedYet,
    "INTERNAL": Internal,
    "AMOUNT_OUT_OF_RANGE": AmountOutOfRange,
    "PROVIDER_REFUSED": ProviderRefused,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "REQUEST_TOO_LARGE": RequestTooLarge,
    "PROVIDER_CONTRADICTS": ProviderContradicts,
    "TAX_UNAVAILABLE": TaxUnavailable,
}

# For a reason that is newer than this client: a service said no, in the general sense of the code.
_BY_CODE_OF_A_SERVICE: dict[grpc.StatusCode, type[OrdermeshError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: ValidationFailed,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: Refused,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.ABORTED: Refused,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
}

# What the transport, a proxy or a foreign server says by itself. None of it proves that nothing was done, except for a
# caller who was turned away at the door, and a method that nobody has.
_BY_CODE: dict[grpc.StatusCode, type[OrdermeshError]] = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.INTERNAL: Internal,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNIMPLEMENTED: NotImplementedYet,
}


def raised_for(failure: Failure) -> OrdermeshError:
    """Return the error of the class that the failure asks for."""
    by_code = _BY_CODE | _BY_CODE_OF_A_SERVICE if failure.reason else _BY_CODE
    kind = _BY_REASON.get(failure.reason) or by_code.get(failure.code, OrdermeshError)
    return kind(failure)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdecimal() else None
