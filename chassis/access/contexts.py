"""Caller contexts: the gateway's signed, short-lived word on whom it calls for, in the metadata of each call.

A context is a JWT of our own, made for one service and good for a minute (docs/adr/0017-access.md). It says nothing
about one request, so both sides keep it: signing and verifying cost nothing for as long as it lives.
"""

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.access.keys import TrustedKeys, key_id
from chassis.caller import GATEWAY, LOCAL, Caller
from kernel.clock import Clock
from kernel.errors import Reason, Refusal

METADATA_KEY = "ordermesh-caller"

LIFETIME_SECONDS = 60
# A context is renewed half-way, so that each one that is sent is good for half a minute at least.
_RENEW_SECONDS = 30
# What the clocks of two machines may differ by.
_SKEW_SECONDS = 5

_ALGORITHM = "EdDSA"
_TYPE = "ordermesh-caller+jwt"
_ISSUER = "ordermesh:gateway"
_CLAIMS = ("aud", "exp", "iat", "iss", "sub")
# As many callers as are active within a minute; beyond it they are verified anew, at 0.1 ms each.
_MOST_KEPT = 10_000
# A context with 20 scopes has some 600 bytes. Metadata beyond 8 KiB are refused by grpc at random.
_LONGEST = 4_096


class Signer:
    """Makes contexts; the gateway has one."""

    def __init__(self, key: Ed25519PrivateKey, clock: Clock) -> None:
        self._key = key
        self._headers = {"typ": _TYPE, "kid": key_id(key.public_key())}
        self._clock = clock
        self._made: dict[tuple[Caller, str], tuple[str, float]] = {}

    def context_of(self, who: Caller, audience: str) -> str:
        """Return a context that tells a service ("order") who calls; it is good for half a minute at least."""
        moment = self._clock.now().timestamp()
        made = self._made.get((who, audience))
        if made is not None and moment < made[1]:
            return made[0]
        claims = {
            "iss": _ISSUER,
            "aud": audience,
            "sub": who.principal,
            "iat": int(moment),
            "exp": int(moment) + LIFETIME_SECONDS,
            "scope": " ".join(sorted(who.scopes)),
            "customer_id": who.customer_id,
        }
        token = jwt.encode(claims, self._key, _ALGORITHM, self._headers)
        if len(self._made) >= _MOST_KEPT:
            self._made.clear()
        self._made[who, audience] = token, moment + _RENEW_SECONDS
        return token


class Contexts:
    """Reads contexts; each service has one.

    Args:
        audience: The service: "order".
        keys: Whose word counts.
        clock: The time.
    """

    def __init__(self, audience: str, keys: TrustedKeys, clock: Clock) -> None:
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._known: dict[str, tuple[Caller, int]] = {}
        self._generation = keys.generation

    def caller_of(self, token: str, service: str) -> Caller:
        """Return whom the service at the other end of the connection calls for.

        Raises:
            Refusal: UNAUTHENTICATED; it may not speak for others, or the context is none that counts here and now.
        """
        if service not in {GATEWAY, LOCAL}:
            raise Refusal(Reason.UNAUTHENTICATED, f"The service {service} may not speak for a caller of its own.")
        self._keys.refresh()
        if self._keys.generation != self._generation:
            self._known.clear()
            self._generation = self._keys.generation
        known = self._known.get(token)
        if known is None:
            known = self._verified(token, service)
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[token] = known
        who, expires = known
        if self._clock.now().timestamp() >= expires + _SKEW_SECONDS:
            self._known.pop(token, None)
            raise _refused("it has expired")
        return who

    def _verified(self, token: str, service: str) -> tuple[Caller, int]:
        if len(token) > _LONGEST:
            raise _refused("it is too long")
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.named(str(header.get("kid")))
            if key is None:
                raise _refused("it is signed with a key that is not trusted here")
            claims = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                audience=self._audience,
                issuer=_ISSUER,
                # Its times are judged below, and with each use, by our own clock.
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "strict_aud": True},
            )
        except jwt.InvalidAudienceError:
            raise _refused("it was made for another service") from None
        except jwt.PyJWTError as error:
            raise _refused(f"it does not hold ({type(error).__name__})") from None
        issued, expires = claims["iat"], claims["exp"]
        if header.get("typ") != _TYPE or type(issued) is not int or type(expires) is not int:
            raise _refused("it is a token of another kind")
        if not 0 < expires - issued <= LIFETIME_SECONDS:
            raise _refused("it lives too long")
        if issued > self._clock.now().timestamp() + _SKEW_SECONDS:
            raise _refused("it comes from the future")
        return (
            Caller(
                principal=claims["sub"],
                service=service,
                scopes=frozenset(str(claims.get("scope", "")).split()),
                customer_id=str(claims.get("customer_id", "")),
                vouched=True,
            ),
            expires,
        )


def _refused(why: str) -> Refusal:
    return Refusal(Reason.UNAUTHENTICATED, f"The context of the caller does not count: {why}.")
