"""The key pair behind SendGrid's signed event webhooks: made once, kept with the state."""

import base64

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.storage import Storage

_KIND, _ID = "setting", "sendgrid_event_key"


class EventKey:
    """An ECDSA P-256 key."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def load(self) -> None:
        """Read the key from the state, making one the first time."""
        kept = self._storage.get(_KIND, _ID)
        if kept is None:
            self._private = ec.generate_private_key(ec.SECP256R1())
            raw = self._private.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            self._storage.put(_KIND, _ID, {"pkcs8": base64.b64encode(raw).decode()}, created=0)
            return
        private = serialization.load_der_private_key(base64.b64decode(kept["pkcs8"]), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("the sandbox's event key is not an elliptic curve key")
        self._private = private

    @property
    def public(self) -> str:
        """The public key as SendGrid shows it: base64 of its DER form."""
        raw = self._private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(raw).decode()

    def sign(self, timestamp: str, body: bytes) -> str:
        """Return the signature over timestamp and body: base64 of its DER form."""
        signature = self._private.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return base64.b64encode(signature).decode()
