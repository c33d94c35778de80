"""The public keys of the identity provider: from one fixed address, kept for minutes, good through its outages."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import jwt
import orjson

from gateway.access.renewal import Renewal
from kernel.clock import Clock
from kernel.errors import Reason, Refusal

# A key that the provider takes away counts for so long at most.
KEPT_SECONDS = 600.0
# What is so old is fetched anew, while requests go on with it: none waits for the provider then, also not for one that
# is silent.
_RENEWED_SECONDS = 540.0
# A token with an unknown key may come from a provider that has just changed keys; anybody can write such a token.
# What counts is when the keys were fetched last, and not when that was tried: a provider that has just changed keys may
# well be the one that fails.
_AFTER_UNKNOWN_SECONDS = 60.0
# Until then tokens with new keys are refused, and with no keys at all no token can be judged.
_AFTER_FAILURE_SECONDS = 5.0
# Longer than the client waits (assembly.py).
_LONGEST_FETCH_SECONDS = 4.0
_MOST_KEYS = 100

Fetch = Callable[[], Awaitable[bytes]]
"""Returns the document at the address; raises whatever goes wrong."""


class KeySet:
    """The keys by their ids.

    Attributes:
        generation: Grows when the keys are other ones.
    """

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] | None = None
        self._document = b""
        self._renewal = Renewal(
            self._renew,
            clock,
            failed="jwks.unreachable",
            pause_seconds=_AFTER_FAILURE_SECONDS,
            longest_seconds=_LONGEST_FETCH_SECONDS,
        )
        self.generation = 0

    async def named(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key of that id; None when the provider has none.

        Raises:
            Refusal: UNAVAILABLE; the provider was never reached so far.
        """
        await self.refresh()
        if self._keys is not None and key_id not in self._keys and self._may_be_new():
            await self._renewal.done(known=False)
        if self._keys is None:
            raise Refusal(
                Reason.UNAVAILABLE, "Tokens cannot be checked just now: the identity provider is away.", retry_after=5.0
            )
        return self._keys.get(key_id)

    async def refresh(self) -> None:
        """Fetch the keys when what is known is too old; on failure it goes on being good."""
        age = self._clock.monotonic() - self._renewal.read_at
        if age >= KEPT_SECONDS:
            await self._renewal.done(known=self._keys is not None)
        elif age >= _RENEWED_SECONDS:
            self._renewal.begin()

    async def close(self) -> None:
        """Give up what is being fetched."""
        await self._renewal.close()

    def _may_be_new(self) -> bool:
        """Say whether to look for an unknown key; all that come while that is done wait for it."""
        age = self._clock.monotonic() - self._renewal.read_at
        return self._renewal.under_way or age >= _AFTER_UNKNOWN_SECONDS

    async def _renew(self) -> None:
        document = await self._fetch()
        keys = _keys(document)
        if document != self._document:
            self._document = document
            self._keys = keys
            self.generation += 1


def _keys(document: bytes) -> dict[str, jwt.PyJWK]:
    listed: Any = orjson.loads(document)["keys"]
    found = {}
    for entry in listed[:_MOST_KEYS]:
        # Secrets have no place in a public document, and keys for encryption none here.
        if entry.get("kty") not in {"RSA", "EC", "OKP"} or entry.get("use", "sig") != "sig" or not entry.get("kid"):
            continue
        try:
            found[str(entry["kid"])] = jwt.PyJWK(entry)
        except jwt.PyJWTError:
            continue
    if not found:
        raise ValueError("no key for signatures")
    return found
