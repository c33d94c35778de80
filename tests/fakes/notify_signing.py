"""SendGrid's side of a signed webhook."""

import base64
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_CURVES: dict[str, type[ec.EllipticCurve]] = {"secp256r1": ec.SECP256R1, "secp384r1": ec.SECP384R1}


class SendgridKey:
    """The key that SendGrid signs with."""

    def __init__(self, curve: str = "secp256r1") -> None:
        self._private = ec.generate_private_key(_CURVES[curve]())

    @property
    def public(self) -> str:
        """As SendGrid's settings show it."""
        return _shown(self._private.public_key())

    @staticmethod
    def rsa() -> str:
        """Return the public half of a key that SendGrid never uses."""
        return _shown(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key())

    def sign(self, timestamp: str, payload: bytes) -> str:
        """Return the signature as the header carries it."""
        signature = self._private.sign(timestamp.encode() + payload, ec.ECDSA(hashes.SHA256()))
        return base64.b64encode(signature).decode()


def batch(*events: dict[str, object]) -> bytes:
    """Return a payload with these events."""
    return json.dumps(events).encode()


def raw_event(kind: str, notification_id: str = "", event_id: str = "event-1", **more: object) -> dict[str, object]:
    """Return an event as SendGrid writes it."""
    return {
        "email": "ada@example.com",
        "timestamp": 1_795_435_203,
        "event": kind,
        "sg_event_id": event_id,
        "sg_message_id": "message-1.recvd-5f-1",
        "notification_id": notification_id,
        "order_id": "order-1",
        "category": ["order-confirmation"],
        **more,
    }


def _shown(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    raw = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(raw).decode()
