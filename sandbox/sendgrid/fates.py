"""What becomes of a mail: by the domain that it goes to, and on demand afterwards."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fate:
    """One way for a mail to go.

    Attributes:
        status: Where the mail ends: "delivered", "bounced" or "dropped".
        events: Which events tell of it, in turn; names of `EVENTS`.
    """

    status: str
    events: tuple[str, ...]


# By name: what SendGrid says of it, beyond what every event says.
EVENTS: dict[str, Json] = {
    "processed": {"event": "processed"},
    "deferred": {"event": "deferred", "response": "400 try again later", "attempt": "1"},
    "delivered": {"event": "delivered", "response": "250 OK"},
    "bounce": {
        "event": "bounce",
        "type": "bounce",
        "status": "5.1.1",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
    },
    "blocked": {
        "event": "bounce",
        "type": "blocked",
        "status": "5.7.1",
        "reason": "550 5.7.1 This message was blocked for policy reasons.",
    },
    "dropped": {"event": "dropped", "status": "5.0.0", "reason": "Bounced Address"},
    "spamreport": {"event": "spamreport"},
    "open": {"event": "open", "useragent": "Sandbox", "ip": "192.0.2.1", "sg_machine_open": False},
    "click": {"event": "click", "useragent": "Sandbox", "ip": "192.0.2.1", "url": "https://shop.example/"},
    "unsubscribe": {"event": "unsubscribe"},
    "group_unsubscribe": {"event": "group_unsubscribe", "asm_group_id": 1},
    "group_resubscribe": {"event": "group_resubscribe", "asm_group_id": 1},
}

# What an event makes of the mail, where it makes anything of it.
STATUS_AFTER = {"bounce": "bounced", "blocked": "bounced", "dropped": "dropped", "delivered": "delivered"}

_DELIVERED = Fate("delivered", ("processed", "delivered"))

_FATES = {
    "bounce.example": Fate("bounced", ("processed", "bounce")),
    "blocked.example": Fate("bounced", ("processed", "blocked")),
    "dropped.example": Fate("dropped", ("dropped",)),
    "deferred.example": Fate("delivered", ("processed", "deferred", "deferred", "delivered")),
    "spam.example": Fate("delivered", ("processed", "delivered", "spamreport")),
    "reader.example": Fate("delivered", ("processed", "delivered", "open", "click")),
}


def fate_of(address: str) -> Fate:
    """Return what becomes of a mail to that address."""
    return _FATES.get(address.rpartition("@")[2].lower(), _DELIVERED)
