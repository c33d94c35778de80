"""The key pair behind SendGrid's signed event webhooks: the same in every sandbox, as a sandbox's secrets are."""

import base64
import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# Published here, so it proves nothing to anybody but a service that was set up for the sandbox. notify_svc knows the
# public half and takes it as its default only while it talks to the sandbox.
_SEED = hashlib.sha256(b"the event webhook key of the ordermesh sandbox").digest()


class EventKey:
    """An ECDSA P-256 key."""

    def __init__(self) -> None:
        self._private = ec.derive_private_key(int.from_bytes(_SEED), ec.SECP256R1())

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
