"""What callers show to say who they are, as parsers of bytes: tokens and contexts, unsigned and rightly signed."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Coroutine
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.access.contexts import Contexts
from chassis.access.keys import TrustedKeys
from gateway.access import api_keys
from gateway.access.jwks import KeySet
from gateway.access.tokens import InvalidToken, Tokens
from kernel.errors import Refusal
from tests.fakes.manual_clock import ManualClock

_KEY = Ed25519PrivateKey.generate()
_CLOCK = ManualClock()
_AT = int(_CLOCK.now().timestamp())
_KEY_ID = "k"
_ISSUER, _AUDIENCE = "https://id.example/", "ordermesh"
_SIGNED = jwt.api_jws.PyJWS()


async def _published() -> bytes:
    key = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(_KEY.public_key()))
    return json.dumps({"keys": [{**key, "kid": _KEY_ID, "use": "sig"}]}).encode()


class _OurKey(TrustedKeys):
    """Trusts the one key that all contexts here are signed with."""

    def __init__(self) -> None:
        super().__init__(None, _CLOCK)

    def named(self, name: str) -> Ed25519PublicKey | None:
        return _KEY.public_key() if name == _KEY_ID else None


_KEYS = KeySet(_published, _CLOCK)
asyncio.run(_KEYS.refresh())

_TOKENS = Tokens(
    _KEYS,
    issuer=_ISSUER,
    audience=_AUDIENCE,
    algorithms=frozenset({"EdDSA"}),
    customer_claim="customer_id",
    scope_claim="scope",
    scopes=frozenset({"orders.read"}),
    clock=_CLOCK,
)
_CONTEXTS = Contexts("order", _OurKey(), _CLOCK)


def credentials(data: bytes) -> None:
    """Any text as a key, token or context; any bytes as the head of a token; any bytes as claims, rightly signed."""
    text = data.decode("latin-1")
    headed = f"{base64.urlsafe_b64encode(data).decode().rstrip('=')}.e30.AA"
    token = _SIGNED.encode(data, _KEY, "EdDSA", {"kid": _KEY_ID, "typ": "JWT"})
    context = _SIGNED.encode(data, _KEY, "EdDSA", {"kid": _KEY_ID, "typ": "ordermesh-caller+jwt"})
    api_keys.parse(text)
    for presented in (text, headed, token):
        with contextlib.suppress(InvalidToken, Refusal):
            _done(_TOKENS.caller_of(presented))
    for presented in (text, headed, context):
        with contextlib.suppress(Refusal):
            _CONTEXTS.caller_of(presented, "gateway")


def seeds() -> list[bytes]:
    """Return claims that count, and a head that does."""
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": "4711", "iat": _AT, "exp": _AT + 60, "scope": "orders.read"}
    context = {**claims, "iss": "ordermesh:gateway", "aud": "order"}
    head = {"alg": "EdDSA", "typ": "JWT", "kid": _KEY_ID}
    return [json.dumps(each).encode() for each in (claims, context, {**claims, "customer_id": "c-1"}, head)]


def _done(work: Coroutine[Any, Any, object]) -> None:
    """Run what never waits, without a loop: there are a million of these."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")
