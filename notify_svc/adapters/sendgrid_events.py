"""SendGrid's Event Webhook: whether a batch is SendGrid's, and what it says."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kernel.clock import Clock
from kernel.errors import FieldViolation, Reason, Refusal
from notify_svc.domain.event import DeliveryEvent

# A batch that was signed longer ago, or further ahead, may be a copy that somebody kept. SendGrid prescribes nothing.
_TOLERANCE_SECONDS = 300

_LONGEST_ID = 100
_LONGEST_WORD = 32

# SendGrid's reasons for dropping a mail; anything else may be in a server's words and hold an address.
_DROP_REASONS = frozenset(
    {
        "Bounced Address",
        "Invalid",
        "Invalid SMTPAPI header",
        "Recipient List over Package Quota",
        "Spam Reporting Address",
        "Unsubscribed Address",
    }
)


class BadKey(ValueError):
    """The text is not the public key of SendGrid's webhook settings."""


def public_key(text: str) -> ec.EllipticCurvePublicKey:
    """Return the key that SendGrid shows as base64 of DER.

    Raises:
        BadKey: It is not one, or not on the curve P-256.
    """
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise BadKey("not base64 of a DER public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey("not an ECDSA key on the curve P-256")
    return key


class SendgridEvents:
    """The EventDesk port for SendGrid.

    Args:
        key: SendGrid's; None refuses every batch.
        clock: For the age of a signature.
    """

    def __init__(self, key: ec.EllipticCurvePublicKey | None, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def open(self, payload: bytes, signature: str, timestamp: str) -> Sequence[DeliveryEvent]:
        """Return the events of a batch that SendGrid signed.

        Raises:
            Refusal: SIGNATURE_INVALID, or VALIDATION_FAILED for a signed batch that is none.
        """
        self._verify(payload, signature, timestamp)
        try:
            batch = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise Refusal.of_field("payload", "is not JSON") from None
        if not isinstance(batch, list) or not all(isinstance(each, dict) for each in batch):
            raise Refusal.of_field("payload", "is not a list of events")
        return [_event(each, place) for place, each in enumerate(batch)]

    def _verify(self, payload: bytes, signature: str, timestamp: str) -> None:
        if self._key is None:
            raise _unsigned("signature", "cannot be checked: SENDGRID_WEBHOOK_PUBLIC_KEY is not set")
        if not (timestamp.isascii() and timestamp.isdecimal()):
            raise _unsigned("timestamp", "is not a number of seconds")
        if abs(self._clock.now().timestamp() - int(timestamp)) > _TOLERANCE_SECONDS:
            raise _unsigned("timestamp", f"is more than {_TOLERANCE_SECONDS} seconds away from now")
        try:
            self._key.verify(
                base64.b64decode(signature, validate=True), timestamp.encode() + payload, ec.ECDSA(hashes.SHA256())
            )
        except (InvalidSignature, ValueError):  # the latter for what is no base64
            raise _unsigned("signature", "is not SendGrid's for this payload and timestamp") from None


def _event(event: dict[str, Any], place: int) -> DeliveryEvent:
    event_id, kind = _text(event, "sg_event_id"), _text(event, "event")
    seconds: Any = event.get("timestamp")
    if not 0 < len(event_id) <= _LONGEST_ID:
        raise Refusal.of_field(f"payload[{place}].sg_event_id", "is missing or not an id")
    if not 0 < len(kind) <= _LONGEST_WORD:
        raise Refusal.of_field(f"payload[{place}].event", "is missing or not a word")
    try:
        occurred_at = datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise Refusal.of_field(f"payload[{place}].timestamp", "is missing or not a number of seconds") from None
    # The part before the first dot is what the answer to mail/send said.
    message_id = _text(event, "sg_message_id").partition(".")[0]
    return DeliveryEvent(
        event_id=event_id,
        kind="blocked" if (kind, _text(event, "type")) == ("bounce", "blocked") else kind,
        notification_id=_text(event, "notification_id")[:36],
        message_id=message_id[:_LONGEST_ID],
        status=_status(event, kind)[:_LONGEST_WORD],
        occurred_at=occurred_at,
    )


def _status(event: dict[str, Any], kind: str) -> str:
    if kind != "dropped":
        return _text(event, "status")
    reason = _text(event, "reason")
    if reason.startswith("Spam Content"):
        return "Spam Content"
    return reason if reason in _DROP_REASONS else ""


def _text(event: dict[str, Any], name: str) -> str:
    """Return a text that can be stored and shown; empty when there is none."""
    value = event.get(name)
    return value if isinstance(value, str) and value.isprintable() else ""


def _unsigned(field: str, description: str) -> Refusal:
    return Refusal(Reason.SIGNATURE_INVALID, f"{field}: {description}", fields=(FieldViolation(field, description),))
