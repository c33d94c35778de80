"""API keys: what they look like, and what is kept of them. Pure."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

# "omk_<id>_<secret>": recognised by secret scanners, and told from a token at the first byte.
PREFIX = "omk_"
_KEY = re.compile(r"omk_([a-z0-9]{3,16})_([A-Za-z0-9_-]{43})")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

_ID_BYTES = 6
# 256 bits: nobody guesses them, so a plain SHA-256 is enough where a password would need a slow hash.
_SECRET_BYTES = 32

MOST_OF_ONE_NAME = 2
"""How many keys of one name may be active: the old one and the one that takes over."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key; the secret itself is not.

    Attributes:
        key_id: The middle of the key.
        name: Whose it is; idempotency keys and limits hang on it, so it outlives each single key.
        digest: SHA-256 of the secret, in hexadecimal.
        scopes: What it may do.
        created_at: When it was made.
        expires_at: Until when it is good; None for ever.
        revoked_at: Since when it is not; None while it is.
        last_used_at: When it was used last, to the minute; None for never.
    """

    key_id: str
    name: str
    digest: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def active(self, now: datetime) -> bool:
        """Return whether it is good."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def opened_by(self, secret: str) -> bool:
        """Return whether that is its secret, in the same time whatever it is."""
        return hmac.compare_digest(self.digest, digest_of(secret))


def digest_of(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def parse(presented: str) -> tuple[str, str] | None:
    """Return the id and the secret of a key; None when it is not written like one."""
    found = _KEY.fullmatch(presented)
    return None if found is None else (found[1], found[2])


def new_key(
    name: str, scopes: frozenset[str], now: datetime, expires_at: datetime | None, chance: Callable[[int], bytes]
) -> tuple[str, ApiKey]:
    """Return a new key, to be shown once, and what is kept of it."""
    key_id, secret = chance(_ID_BYTES).hex(), _text(chance(_SECRET_BYTES))
    return f"{PREFIX}{key_id}_{secret}", ApiKey(key_id, name, digest_of(secret), scopes, now, expires_at)


def development_key(chance: Callable[[int], bytes]) -> str:
    """Return a key for this machine alone: it stands in no table, and only a gateway on loopback takes it."""
    return f"{PREFIX}dev_{_text(chance(_SECRET_BYTES))}"


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
