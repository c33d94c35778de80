"""Stripe's webhooks: whether one is genuine and of this moment, and what it is about."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.config import Secret
from kernel.errors import Reason, Refusal
from payment_svc.app.ports import ProviderEvent

# As in Stripe's own libraries; but to both sides, which those do not check: a signature made for a far future would
# be good for ever.
_TOLERANCE_SECONDS = 300

_LONGEST_ID = 255
_LONGEST_KIND = 100


class StripeEvents:
    """The port EventReader.

    Args:
        secrets: The endpoint's signing secrets: one, or while it is being rolled two.
        live: Whether we work on real money; events of the other kind are none of ours.
    """

    def __init__(self, secrets: Sequence[Secret], *, live: bool) -> None:
        self._secrets = [secret.reveal().encode() for secret in secrets]
        self._live = live

    def read(self, payload: bytes, signature: str, now: datetime) -> ProviderEvent:
        """Return the event in a webhook's body.

        Raises:
            Refusal: SIGNATURE_INVALID, or VALIDATION_FAILED where a genuine body is no event.
        """
        timestamp, signatures = _parts(signature)
        if timestamp is None or abs(now.timestamp() - timestamp) > _TOLERANCE_SECONDS:
            raise _not_genuine()
        signed = b"%d.%s" % (timestamp, payload)
        expected = [hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in self._secrets]
        if not any(hmac.compare_digest(one, other) for one in expected for other in signatures):
            raise _not_genuine()
        try:
            return self._event(json.loads(payload))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise Refusal.of_field("payload", "is signed by Stripe and not an event; is this its endpoint?") from error

    def _event(self, data: dict[str, Any]) -> ProviderEvent:
        event_id, kind = str(data["id"]), str(data["type"])
        if data["object"] != "event" or len(event_id) > _LONGEST_ID or len(kind) > _LONGEST_KIND:
            raise ValueError(data["object"])
        # One of the other mode is kept, so that it is answered, and is about nothing of ours.
        intent_id = _intent_id(data["data"]["object"]) if data.get("livemode", False) is self._live else ""
        return ProviderEvent(event_id, kind, intent_id)


def _parts(signature: str) -> tuple[int | None, list[bytes]]:
    """Return time and signatures of "t=1492774577,v1=5257a8…,v1=…"; other schemes are left out."""
    timestamp, signatures = None, []
    for part in signature.split(","):
        name, _, value = part.strip().partition("=")
        # ASCII, and few digits: int() takes much more.
        if name == "t" and value.isascii() and value.isdecimal() and len(value) <= len(str(2**40)):
            timestamp = int(value)
        elif name == "v1":
            signatures.append(value.encode())
    return timestamp, signatures


def _intent_id(about: dict[str, Any]) -> str:
    """Return the id of the intent that an object is, or belongs to; "" where there is none."""
    found = about["id"] if about["object"] == "payment_intent" else about.get("payment_intent")
    if isinstance(found, dict):
        found = found["id"]
    return found if isinstance(found, str) and len(found) <= _LONGEST_ID else ""


def _not_genuine() -> Refusal:
    return Refusal(
        Reason.SIGNATURE_INVALID,
        "The Stripe-Signature header is missing, malformed, made with another secret, or not of the last five minutes.",
    )
