"""A thin client for Ordermesh: the generated stubs, with deadlines, safe retries, keys and typed errors around them.

    from ordermesh.client import Client
    from ordermesh.order.v1 import order_service_pb2

    with Client() as client:
        order = client.orders.GetOrder(order_service_pb2.GetOrderRequest(order_id="…")).order

`AsyncClient` is the same for asyncio. Everything else is in docs/client.md.
"""

from ordermesh.client.aio import AsyncClient
from ordermesh.client.amounts import money
from ordermesh.client.errors import (
    AddressInvalid,
    AmountOutOfRange,
    CustomerLimitReached,
    DeadlineExceeded,
    FieldViolation,
    IllegalState,
    Internal,
    NotFound,
    NotImplementedYet,
    OrdermeshError,
    Overloaded,
    PaymentDeclined,
    PaymentMethodInvalid,
    PermissionDenied,
    ProviderContradicts,
    ProviderRefused,
    RefundExceedsPayment,
    RequestIdReused,
    RequestTooLarge,
    SignatureInvalid,
    TaxUnavailable,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
    VersionMismatch,
)
from ordermesh.client.policy import Policy
from ordermesh.client.sync import Client

__all__ = [
    "AddressInvalid",
    "AmountOutOfRange",
    "AsyncClient",
    "Client",
    "CustomerLimitReached",
    "DeadlineExceeded",
    "FieldViolation",
    "IllegalState",
    "Internal",
    "NotFound",
    "NotImplementedYet",
    "OrdermeshError",
    "Overloaded",
    "PaymentDeclined",
    "PaymentMethodInvalid",
    "PermissionDenied",
    "Policy",
    "ProviderContradicts",
    "ProviderRefused",
    "RefundExceedsPayment",
    "RequestIdReused",
    "RequestTooLarge",
    "SignatureInvalid",
    "TaxUnavailable",
    "Unauthenticated",
    "Unavailable",
    "ValidationFailed",
    "VersionMismatch",
    "money",
]
