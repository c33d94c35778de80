"""The keys behind caller contexts: the gateway signs with a private Ed25519 key, services know the public ones.

Only who holds the private key can say for whom a call is made; that is why it is no shared secret. A key is named by
its own fingerprint, so several can be trusted while one takes over from another.
"""

import fcntl
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.owned_files import make_folder, read, replace
from kernel.clock import Clock

# How soon a key that was added or removed is noticed. Half of what is promised in docs/security.md.
_LOOK_AGAIN_SECONDS = 5.0
# A key that is not known may just have been added; nobody can make us read the file more often than that.
_LOOK_FOR_UNKNOWN_SECONDS = 1.0

_BEGIN, _END = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"


class KeyUnusable(Exception):
    """A file does not hold the keys that it should; the message says which file and what to do."""


def key_id(key: Ed25519PublicKey) -> str:
    """Return what a key is called: the first half of the SHA-256 of its bytes."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:32]


def signing_key(private: Path) -> Ed25519PrivateKey:
    """Return the private key of a PEM file.

    Raises:
        KeyUnusable: There is none.
    """
    try:
        key = serialization.load_pem_private_key(private.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(
            f"{private} holds no private key ({type(error).__name__}); `ordermesh keys signing` makes one"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{private} holds a key that is not Ed25519; `ordermesh keys signing` makes one")
    return key


def own_signing_key(private: Path, public: Path) -> Ed25519PrivateKey:
    """Return the private key in its file; where there is none yet, one of all processes that ask makes it.

    Raises:
        KeyUnusable: What the file holds is no key.
    """
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = private.with_name(f"{private.name}.lock")
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return signing_key(private) if private.exists() else make_signing_key(private, public)
    finally:
        os.close(descriptor)


def make_signing_key(private: Path, public: Path) -> Ed25519PrivateKey:
    """Make a new key: the private half replaces what was in its file, the public half is added to those trusted.

    Raises:
        OSError: The gateway signs as before; at most one more key is trusted.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for file in (private, public):
        make_folder(file.parent)
    # Trusted first: a gateway that signs with it a moment later is believed.
    replace(public, read(public) + _shown(key), 0o644)
    replace(private, pem, 0o600)
    return key


def trust_alone(private: Path, public: Path) -> None:
    """Take every key out of those trusted but the one in the private key's file.

    Raises:
        KeyUnusable: There is none.
        OSError: They are as they were.
    """
    replace(public, _shown(signing_key(private)), 0o644)


def _shown(key: Ed25519PrivateKey) -> bytes:
    """Return the public half, in PEM."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class TrustedKeys:
    """The public keys in a PEM file, read again when it changes; none without a file.

    Attributes:
        generation: Grows whenever the keys are other ones: what was verified before has to be verified again.
    """

    def __init__(self, file: Path | None, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._keys: Mapping[str, Ed25519PublicKey] = {}
        self._stamp: tuple[int, int] | None = None
        self._looked_at = float("-inf")
        self.generation = 0

    def refresh(self, after_seconds: float = _LOOK_AGAIN_SECONDS) -> None:
        """Read the file again when it has changed and the last look is that long ago."""
        now = self._clock.monotonic()
        if now - self._looked_at < after_seconds:
            return
        self._looked_at = now
        stamp = None if self._file is None else _stamp(self._file)
        if self._file is None or stamp == self._stamp:
            return
        try:
            keys = _public_keys(self._file) if stamp is not None else {}
        except (OSError, ValueError):
            return  # Half written, as it seems: what is known stays good until the next look.
        self._stamp = stamp
        self._keys = keys
        self.generation += 1

    def named(self, name: str) -> Ed25519PublicKey | None:
        """Return the key of that name; None when it is not trusted."""
        if name not in self._keys:
            self.refresh(_LOOK_FOR_UNKNOWN_SECONDS)
        return self._keys.get(name)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _public_keys(file: Path) -> dict[str, Ed25519PublicKey]:
    keys = {}
    for part in file.read_bytes().split(_BEGIN)[1:]:
        body, end, _ = part.partition(_END)
        key = serialization.load_pem_public_key(_BEGIN + body + end + b"\n")
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not Ed25519")  # noqa: TRY004  (what the file says is wrong, not what we call with)
        keys[key_id(key)] = key
    return keys
