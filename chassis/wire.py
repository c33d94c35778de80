"""The kernel's words on the wire: ordermesh.type.v1 ⇄ kernel, shared by every service's own wire.py.

Total functions: what protovalidate cannot state (that a currency exists) is refused here, and every refusal names its
field.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from ordermesh.type.v1 import address_pb2, money_pb2, watching_pb2

from chassis.provider_watch import ProviderHealth
from kernel.address import Address
from kernel.errors import Refusal
from kernel.money import Money, UnknownCurrency, exponent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def currency_from_wire(currency_code: str, field: str) -> str:
    """Return the code when the currency exists.

    Raises:
        Refusal: It does not; `field` is named.
    """
    try:
        exponent(currency_code)
    except UnknownCurrency as error:
        raise Refusal.of_field(field, f"{error}; use three capital letters, like EUR") from error
    return currency_code


def money_from_wire(message: money_pb2.Money, field: str) -> Money:
    """Return the amount; `field` is its path in the request.

    Raises:
        Refusal: The currency does not exist.
    """
    return Money(currency_from_wire(message.currency_code, f"{field}.currency_code"), message.minor_units)


def money_to_wire(money: Money) -> money_pb2.Money:
    """Return the amount as a message."""
    return money_pb2.Money(currency_code=money.currency_code, minor_units=money.minor_units)


def address_from_wire(message: address_pb2.Address) -> Address:
    """Return the address; its fields were validated by the rules in the proto."""
    return Address(
        line1=message.line1,
        line2=message.line2,
        locality=message.locality,
        administrative_area=message.administrative_area,
        postal_code=message.postal_code,
        region_code=message.region_code,
    )


def address_to_wire(address: Address) -> address_pb2.Address:
    """Return the address as a message."""
    return address_pb2.Address(
        line1=address.line1,
        line2=address.line2,
        locality=address.locality,
        administrative_area=address.administrative_area,
        postal_code=address.postal_code,
        region_code=address.region_code,
    )


def time_to_wire(moment: datetime) -> Timestamp:
    """Return an aware moment as a Timestamp, to the microsecond."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1_000)


def time_from_wire(message: Timestamp, field: str) -> datetime:
    """Return a Timestamp as an aware moment in UTC, to the microsecond; `field` is its path in the request.

    Raises:
        Refusal: There is no such moment: a Timestamp on the wire may hold any number of seconds.
    """
    try:
        return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
    except OverflowError as error:
        raise Refusal.of_field(field, "is not a moment between the years 1 and 9999") from error


def duration_to_wire(seconds: float) -> Duration:
    """Return a length of time as a message, to the microsecond."""
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def backlog_to_wire(queue: str, waiting: int, oldest_seconds: float) -> watching_pb2.Backlog:
    """Return how much waits in a queue, and how long its oldest has waited, as a message."""
    return watching_pb2.Backlog(queue=queue, waiting=waiting, oldest_age=duration_to_wire(oldest_seconds))


def provider_health_to_wire(health: ProviderHealth) -> watching_pb2.ProviderHealth:
    """Return how a provider is doing as a message."""
    state = watching_pb2.PROVIDER_STATE_LEFT_ALONE if health.left_alone else watching_pb2.PROVIDER_STATE_CALLED
    return watching_pb2.ProviderHealth(
        provider=health.provider,
        state=state,
        calls=health.calls,
        failed_calls=health.failed_calls,
        since_time=time_to_wire(health.since),
    )


def fingerprint(request: Message) -> str:
    """Return what a request says, as SHA-256 in hexadecimal: equal for equal requests, whatever wrote them.

    The request_id is part of it, which changes nothing: fingerprints are compared under one request_id only.
    """
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
