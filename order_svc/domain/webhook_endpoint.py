"""Endpoints: where one of the shop's other systems hears of orders, and the secrets that it knows us by."""

import base64
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from kernel.errors import Refusal
from order_svc.domain.webhook import EVENT_TYPES
from order_svc.domain.webhook_reach import Reach

# Standard Webhooks asks for 24 to 64 bytes.
SECRET_BYTES = 32

# How long messages are signed with an old secret as well: receivers have a day to change over.
_OVERLAP = timedelta(days=1)

# Each old secret adds 47 characters to a header of every message; who rotates more often does not need the older ones.
_MOST_SECRETS = 4

ALL_EVENTS = "*"

# A part of a host's name, as DNS and certificates can carry it.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MOST_NAME = 253

# A name whose last part is a number is read as an IPv4 address, by some.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """A secret that a receiver checks signatures with.

    Attributes:
        secret_id: Which one it is, without telling it.
        text: "whsec_" and base64. Not printed.
        ends_at: From when on nothing is signed with it; None for the present one.
    """

    secret_id: str
    text: str = field(repr=False)
    ends_at: datetime | None = None

    @classmethod
    def of(cls, secret_id: str, random: bytes) -> "SigningSecret":
        """Return a secret of this randomness."""
        return cls(secret_id, f"whsec_{base64.b64encode(random).decode()}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where messages are posted to.

    Attributes:
        endpoint_id: UUID, 36 characters.
        url: https, or http on the loopback interface.
        event_types: What it hears of; empty means all.
        description: The shop's own; may be empty.
        secrets: The newest first.
        disabled: Messages to it are held back: a person has switched it off, or it has answered 410 Gone.
        created_at: UTC.
    """

    endpoint_id: str
    url: str
    event_types: tuple[str, ...]
    description: str
    secrets: tuple[SigningSecret, ...]
    disabled: bool
    created_at: datetime

    def hears(self, event_type: str) -> bool:
        """Say whether it is told of such events."""
        return not self.event_types or event_type in self.event_types

    def signing(self, now: datetime) -> tuple[SigningSecret, ...]:
        """Return the secrets that messages are signed with, the newest first."""
        return tuple(each for each in self.secrets if each.ends_at is None or each.ends_at > now)


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What becomes of an endpoint; None leaves it as it is.

    Attributes:
        url: Where it is from now on.
        event_types: What it hears of from now on; empty means all.
        disabled: Whether it is switched off.
    """

    url: str | None = None
    event_types: tuple[str, ...] | None = None
    disabled: bool | None = None


def changed(endpoint: Endpoint, change: EndpointChange) -> Endpoint:
    """Return the endpoint with what the change names."""
    return replace(
        endpoint,
        url=endpoint.url if change.url is None else change.url,
        event_types=endpoint.event_types if change.event_types is None else change.event_types,
        disabled=endpoint.disabled if change.disabled is None else change.disabled,
    )


def rotated(endpoint: Endpoint, secret: SigningSecret, now: datetime) -> Endpoint:
    """Return the endpoint with a new secret; what was signed with until now is for a day more."""
    still = [replace(each, ends_at=each.ends_at or now + _OVERLAP) for each in endpoint.signing(now)]
    return replace(endpoint, secrets=(secret, *still)[:_MOST_SECRETS])


def checked_url(url: str, reach: Reach) -> str:
    """Return where messages may be posted to.

    Orders are nobody else's business, so it has to be https; on this machine itself nobody listens in. A name is
    checked again, by its addresses, whenever a connection is made.

    Raises:
        Refusal: It is no such address; says why.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refusal.of_field("url", "is not a URL; write it like https://shop.example/hooks") from None
    if not host or port == 0:
        raise Refusal.of_field("url", "names no host; write it like https://shop.example/hooks")
    if not url.isascii():
        raise Refusal.of_field("url", "has to be ASCII: punycode for the host, percent-encoding for the rest")
    if parts.username is not None or parts.password is not None:
        raise Refusal.of_field("url", "must not hold a password; receivers know us by the signature")
    if parts.fragment:
        raise Refusal.of_field("url", "must not hold a fragment (#…), which is never sent")
    address = _address_of(host)
    if not address and ("[" in parts.netloc or not _is_name(host)):
        raise Refusal.of_field("url", "names a host that cannot be; write it like https://shop.example/hooks")
    if parts.scheme != "https" and not (address and ipaddress.ip_address(address).is_loopback):
        raise Refusal.of_field("url", "has to be https; http is allowed to this machine itself (localhost) alone")
    if address and not reach.admits(address):
        raise Refusal.of_field(
            "url", "leads into a private network, and ORDER_WEBHOOK_NETWORKS of the order service does not name it"
        )
    return url


def checked_event_types(event_types: Sequence[str]) -> tuple[str, ...]:
    """Return the event types when there are such events.

    Raises:
        Refusal: There are not; names those that there are.
    """
    for position, each in enumerate(event_types):
        if each not in EVENT_TYPES:
            # Without what is common to all, so that the list fits into an answer.
            known = ", ".join(known.removeprefix("order.") for known in EVENT_TYPES)
            raise Refusal.of_field(f"event_types[{position}]", f'is never told; after "order." comes one of {known}')
    return tuple(event_types)


def checked_changes_of_event_types(event_types: Sequence[str]) -> tuple[str, ...] | None:
    """Return what an endpoint hears of from now on; None when nothing was said about it.

    Raises:
        Refusal: There are no such events, or "*" does not stand alone.
    """
    if not event_types:
        return None
    if ALL_EVENTS in event_types:
        if len(event_types) > 1:
            raise Refusal.of_field("event_types", f'"{ALL_EVENTS}" means all and stands alone')
        return ()
    return checked_event_types(event_types)


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    fits = len(host) <= _MOST_NAME and all(_LABEL.fullmatch(each) for each in labels)
    return fits and not _NUMBER.fullmatch(labels[-1])


def _address_of(host: str) -> str:
    """Return the address that the host is; empty where it is a name that has to be looked up."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""
