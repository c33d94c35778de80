"""Tokens of the identity provider (OpenID Connect): which of them count, and whom they name."""

import hashlib
import json
import re
from typing import Any

import jwt
from jwt.utils import base64url_decode

from chassis.caller import GATEWAY, Caller
from gateway.access.jwks import KeySet
from kernel.clock import Clock

MOST_BYTES = 4_096
_LEEWAY_SECONDS = 30
_LONGEST_LIFE_SECONDS = 86_400
_REQUIRED = ("exp", "iat", "iss", "aud", "sub")
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_LONGEST_SUBJECT = 255
# The end of the year 9999: numbers beyond it are no times, and the largest of them no float either.
_LATEST = 253_402_300_800

# As the contract has it for Customer.customer_id.
_CUSTOMER = re.compile(r"[A-Za-z0-9._-]{1,50}")
_PLAIN = re.compile(r"[!-~]{1,150}")
# As many callers as are active at a time; beyond it they are verified anew, at 0.1 ms each.
_MOST_KEPT = 10_000


class InvalidToken(Exception):
    """A token that does not count; the message says why, without a word of the token."""


class Tokens:
    """Reads tokens.

    Args:
        keys: The provider's.
        issuer: What their iss has to be.
        audience: What their aud has to name.
        algorithms: How they may be signed.
        customer_claim: The claim that makes the bearer a customer.
        scope_claim: The claim with the bearer's scopes.
        scopes: Those that mean something here; others are left away.
        clock: The time.
    """

    def __init__(
        self,
        keys: KeySet,
        *,
        issuer: str,
        audience: str,
        algorithms: frozenset[str],
        customer_claim: str,
        scope_claim: str,
        scopes: frozenset[str],
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._algorithms = algorithms
        self._customer_claim = customer_claim
        self._scope_claim = scope_claim
        self._scopes = scopes
        self._clock = clock
        self._known: dict[str, tuple[Caller, float]] = {}
        self._generation = -1

    async def caller_of(self, token: str) -> tuple[Caller, float]:
        """Return whom the token names, and until when (seconds since 1970).

        Raises:
            InvalidToken: It does not count.
            Refusal: UNAVAILABLE; the provider's keys are not known.
        """
        await self._keys.refresh()
        if self._keys.generation != self._generation:
            self._known.clear()
            self._generation = self._keys.generation
        known = self._known.get(token)
        if known is None:
            known = await self._verified(token)
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[token] = known
        if self._clock.now().timestamp() >= known[1]:
            self._known.pop(token, None)
            raise InvalidToken("it has expired")
        return known

    async def _verified(self, token: str) -> tuple[Caller, float]:
        if len(token) > MOST_BYTES:
            raise InvalidToken("it is too long")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise InvalidToken("it is no token") from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise InvalidToken("it is signed in a way that does not count here")
        if str(header.get("typ", "JWT")).lower() not in _TYPES or not isinstance(key_id, str):
            raise InvalidToken("it is of another kind")
        key = await self._keys.named(key_id)
        if key is None:
            raise InvalidToken("it is signed with a key that the identity provider does not have")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                # Its times are judged below, by our own clock.
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise InvalidToken(f"it does not hold ({type(error).__name__})") from None
        _without_doubles(token)
        return self._caller(claims), self._until(claims)

    def _until(self, claims: dict[str, Any]) -> float:
        now = self._clock.now().timestamp()
        times = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
        if any(type(each) not in {int, float} or not 0 <= each < _LATEST for each in times):
            raise InvalidToken("its times are no times")
        expires, issued, begins = times
        if max(issued, begins) > now + _LEEWAY_SECONDS:
            raise InvalidToken("it is not good yet")
        if not 0 < expires - issued <= _LONGEST_LIFE_SECONDS:
            raise InvalidToken("it lives for more than a day")
        until = float(expires + _LEEWAY_SECONDS)
        if now >= until:
            raise InvalidToken("it has expired")
        return until

    def _caller(self, claims: dict[str, Any]) -> Caller:
        subject = claims["sub"]
        if not isinstance(claims["iss"], str) or not isinstance(subject, str):
            raise InvalidToken("its issuer or subject is no text")
        if not 0 < len(subject) <= _LONGEST_SUBJECT:
            raise InvalidToken("its subject is empty or too long")
        # JSON may escape half a surrogate pair, which UTF-8 does not know.
        written = subject.encode("utf-8", "surrogatepass")
        name = subject if _PLAIN.fullmatch(subject) else hashlib.sha256(written).hexdigest()
        customer_id = ""
        if self._customer_claim in claims:
            # Whatever stands there, the bearer is no member of staff.
            customer_id = claims[self._customer_claim]
            if not isinstance(customer_id, str) or not _CUSTOMER.fullmatch(customer_id):
                raise InvalidToken("its customer is none that there can be")
        given = claims.get(self._scope_claim, "")
        words = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
        scopes = frozenset(word for word in words if isinstance(word, str)) & self._scopes
        return Caller(f"user:{name}", GATEWAY, scopes, customer_id, vouched=True)


def _without_doubles(token: str) -> None:
    """Refuse a token that says two things under one name: readers would differ in which they believe."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise InvalidToken("it says two things under one name")
        return found

    for part in token.split(".")[:2]:
        json.loads(base64url_decode(part), object_pairs_hook=once)
