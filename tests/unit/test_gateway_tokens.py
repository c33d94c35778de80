"""Tokens of the identity provider: which count, and thirty that do not."""

# ruff: noqa: ANN401  (claims and keys are of any type, above all the wrong ones)

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.access.jwks import KEPT_SECONDS, KeySet
from gateway.access.tokens import InvalidToken, Tokens
from kernel.errors import Reason, Refusal
from tests.fakes.manual_clock import ManualClock

ISSUER, AUDIENCE = "https://id.example/", "ordermesh"
RSA, OTHER_RSA = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, algorithm: type[jwt.algorithms.RSAAlgorithm] | type[jwt.algorithms.ECAlgorithm]) -> Any:
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


KEYS = [jwk(RSA, "rsa", jwt.algorithms.RSAAlgorithm), jwk(EC, "ec", jwt.algorithms.ECAlgorithm)]
PUBLIC_PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class Provider:
    """An identity provider.

    Attributes:
        keys: What it publishes.
        away: Whether it does not answer.
        silent: Set while it lets callers wait.
        asked: How often it was asked.
    """

    def __init__(self) -> None:
        self.keys: list[Any] = KEYS
        self.away = False
        self.silent = False
        self.speaks = asyncio.Event()
        self.asked = 0

    async def give_up(self) -> None:
        """Have those who wait for it wait no longer."""
        self.speaks.set()
        for _ in range(3):
            await asyncio.sleep(0)
        self.speaks.clear()

    async def __call__(self) -> bytes:
        self.asked += 1
        if self.silent:
            await self.speaks.wait()
        if self.away:
            raise OSError
        return json.dumps({"keys": self.keys}).encode()


class Desk:
    """A gateway's tokens with their provider, on one clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.provider = Provider()
        self.tokens = Tokens(
            KeySet(self.provider, self.clock),
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithms=frozenset({"RS256", "ES256"}),
            customer_claim="customer_id",
            scope_claim="scope",
            scopes=frozenset({"orders.read", "orders.write"}),
            clock=self.clock,
        )

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(self.clock.now().timestamp())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "4711", "iat": now, "exp": now + 600, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: Any = RSA, algorithm: str = "RS256", headers: Any = None, **changed: Any) -> str:
        return jwt.encode(self.claims(**changed), key, algorithm, {"kid": "rsa", **(headers or {})})


def test_a_token_names_its_bearer() -> None:
    async def story() -> None:
        desk = Desk()
        staff, until = await desk.tokens.caller_of(desk.token(scope="openid orders.read profile"))
        listed, _ = await desk.tokens.caller_of(desk.token(scope=["orders.write"], aud=["other", AUDIENCE]))
        customer, _ = await desk.tokens.caller_of(desk.token(EC, "ES256", {"kid": "ec"}, customer_id="c-1"))

        assert (staff.principal, staff.scopes, staff.customer_id) == ("user:4711", frozenset({"orders.read"}), "")
        assert until == desk.clock.now().timestamp() + 630
        assert listed.scopes == {"orders.write"}
        assert (customer.customer_id, customer.scopes, customer.vouched) == ("c-1", frozenset(), True)

    asyncio.run(story())


def _tampered(desk: Desk) -> str:
    head, body, signature = desk.token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed["sub"] = "boss"
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip('=')}.{signature}"


def _doubled(desk: Desk) -> str:
    body = json.dumps(desk.claims())[:-1] + ', "sub": "boss"}'
    return jwt.api_jws.PyJWS().encode(body.encode(), RSA, "RS256", {"kid": "rsa", "typ": "JWT"})


def _of_public_key(desk: Desk) -> str:
    """Signed with the public key as if it were a secret, by hand: PyJWT would not do that."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa'})}.{part(desk.claims())}"
    mac = hmac.new(PUBLIC_PEM, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def _headed(desk: Desk, **head: Any) -> str:
    """A token with another head, by hand."""
    _, body, signature = desk.token().split(".")
    written = json.dumps({"alg": "RS256", "typ": "JWT", "kid": "rsa", **head}).encode()
    return f"{base64.urlsafe_b64encode(written).decode().rstrip('=')}.{body}.{signature}"


def _at(desk: Desk, seconds: int) -> int:
    return int(desk.clock.now().timestamp()) + seconds


BAD: dict[str, Callable[[Desk], str]] = {
    "unsigned": lambda desk: desk.token("", "none"),
    "signed with the public key as a secret": _of_public_key,
    "signed in several ways at once": lambda desk: _headed(desk, alg=["RS256"]),
    "signed with another key": lambda desk: desk.token(OTHER_RSA),
    "signed in another way than its key is for": lambda desk: desk.token(EC, "ES256"),
    "signed in a way that is not allowed": lambda desk: desk.token(algorithm="RS512"),
    "of an unknown key": lambda desk: desk.token(headers={"kid": "nobodys"}),
    "of a key that it brings along": lambda desk: desk.token(OTHER_RSA, headers={"jwk": KEYS[0]}),
    "with a critical header that nobody knows": lambda desk: desk.token(headers={"crit": ["x"], "x": 1}),
    "of another kind": lambda desk: desk.token(headers={"typ": "logout+jwt"}),
    "changed": _tampered,
    "with one name twice": _doubled,
    "expired": lambda desk: desk.token(iat=_at(desk, -700), exp=_at(desk, -31)),
    "without an end": lambda desk: desk.token(exp=None),
    "without a beginning": lambda desk: desk.token(iat=None),
    "without a subject": lambda desk: desk.token(sub=None),
    "with an empty subject": lambda desk: desk.token(sub=""),
    "with an end in words": lambda desk: desk.token(exp=str(_at(desk, 600))),
    "good for a moment before all time": lambda desk: desk.token(iat=-(10**400), exp=5 - 10**400),
    "with an end that is true": lambda desk: desk.token(exp=True),
    "not good yet": lambda desk: desk.token(nbf=_at(desk, 31)),
    "from the future": lambda desk: desk.token(iat=_at(desk, 31)),
    "good for longer than a day": lambda desk: desk.token(exp=_at(desk, 86_401)),
    "for others": lambda desk: desk.token(aud="another-api"),
    "for nobody": lambda desk: desk.token(aud=None),
    "of another issuer": lambda desk: desk.token(iss="https://id.example"),
    "of many issuers": lambda desk: jwt.api_jws.PyJWS().encode(
        json.dumps(desk.claims(iss=[ISSUER])).encode(), RSA, "RS256", {"kid": "rsa"}
    ),
    "with a customer that is none": lambda desk: desk.token(customer_id=""),
    "with a list of customers": lambda desk: desk.token(customer_id=["c-1", "c-2"]),
    "with a customer that is written oddly": lambda desk: desk.token(customer_id="c-1' OR '1'='1"),
    "longer than any": lambda desk: desk.token(scope="x" * 5_000),
    "no token": lambda _: "a.b.c",
    "empty": lambda _: ".",
}


@pytest.mark.parametrize("what", BAD)
def test_a_token_does_not_count_that_is(what: str) -> None:
    desk = Desk()
    with pytest.raises(InvalidToken):
        asyncio.run(desk.tokens.caller_of(BAD[what](desk)))


def test_a_subject_that_no_log_could_take_is_named_by_its_hash() -> None:
    async def story() -> str:
        desk = Desk()
        who, _ = await desk.tokens.caller_of(desk.token(sub="half a pair: \ud800"))
        return who.principal

    assert re.fullmatch("user:[0-9a-f]{64}", asyncio.run(story()))


def test_keys_are_fetched_once_in_ten_minutes_and_once_a_minute_for_unknown_ones() -> None:
    async def story() -> list[int]:
        desk = Desk()
        asked = []
        for wait, headers in ((0, {}), (0, {}), (0, {"kid": "x"}), (61, {"kid": "x"}), (1, {"kid": "y"}), (600, {})):
            desk.clock.advance(wait)
            with contextlib.suppress(InvalidToken):
                await desk.tokens.caller_of(desk.token(headers=headers))
            asked.append(desk.provider.asked)
        return asked

    assert asyncio.run(story()) == [1, 1, 1, 2, 2, 3]


def test_a_key_that_is_taken_away_stops_counting_even_for_known_tokens() -> None:
    async def story() -> None:
        desk = Desk()
        token = desk.token(exp=_at(desk, 3_600))
        await desk.tokens.caller_of(token)
        desk.provider.keys = KEYS[1:]
        desk.clock.advance(KEPT_SECONDS)
        with pytest.raises(InvalidToken, match="does not have"):
            await desk.tokens.caller_of(token)

    asyncio.run(story())


def test_while_the_provider_is_away_its_last_keys_count() -> None:
    async def story() -> None:
        desk = Desk()
        await desk.tokens.caller_of(desk.token())
        desk.provider.away = True
        desk.clock.advance(2 * KEPT_SECONDS)
        await desk.tokens.caller_of(desk.token())

        never = Desk()
        never.provider.away = True
        with pytest.raises(Refusal) as refused:
            await never.tokens.caller_of(never.token())
        assert refused.value.reason is Reason.UNAVAILABLE

    asyncio.run(story())


def test_nobody_with_a_known_key_waits_for_a_silent_provider() -> None:
    async def story() -> int:
        desk = Desk()
        known = desk.token(exp=_at(desk, 3_600))
        await desk.tokens.caller_of(known)
        desk.provider.silent = desk.provider.away = True
        desk.clock.advance(KEPT_SECONDS - 60)
        # It is asked before its keys are too old, and again some time after each silence of three seconds.
        for _ in range(30):
            for token in (known, desk.token(), desk.token(sub="8")):
                await desk.tokens.caller_of(token)
            await asyncio.sleep(0)
            desk.clock.advance(3)
            await desk.provider.give_up()
            desk.clock.advance(2)
        return desk.provider.asked

    assert asyncio.run(asyncio.wait_for(story(), 1)) == 1 + 15


def test_all_tokens_with_a_key_that_is_new_wait_until_it_is_fetched() -> None:
    async def story() -> list[str]:
        desk = Desk()
        desk.provider.keys = KEYS[1:]
        await desk.tokens.caller_of(desk.token(EC, "ES256", {"kid": "ec"}))
        desk.provider.keys = KEYS
        desk.provider.silent = True
        desk.clock.advance(61)
        coming = []
        for name in "ab":
            coming.append(asyncio.create_task(desk.tokens.caller_of(desk.token(sub=name))))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        desk.provider.speaks.set()
        return [(await each)[0].principal for each in coming]

    assert asyncio.run(story()) == ["user:a", "user:b"]


def test_a_failure_just_when_keys_change_keeps_tokens_out_for_seconds_and_not_for_a_minute() -> None:
    async def story() -> list[tuple[int, bool]]:
        desk = Desk()
        desk.provider.keys = KEYS[1:]
        await desk.tokens.caller_of(desk.token(EC, "ES256", {"kid": "ec"}))
        desk.provider.keys = KEYS
        told = []
        # The first with the new key meets the failure, and the first after the pause waits for the keys that it has
        # fetched. What nobody has is not looked for again within the minute.
        shown = [(120, True, "rsa"), (4, False, "rsa"), (1, False, "rsa"), (59, False, "x"), (1, False, "x")]
        for wait, away, kid in shown:
            desk.clock.advance(wait)
            desk.provider.away = away
            taken = False
            with contextlib.suppress(InvalidToken):
                taken = bool(await desk.tokens.caller_of(desk.token(headers={"kid": kid})))
            told.append((desk.provider.asked, taken))
        return told

    assert asyncio.run(story()) == [(2, False), (2, False), (3, True), (3, False), (4, False)]


def test_a_known_token_still_ends() -> None:
    async def story() -> None:
        desk = Desk()
        token = desk.token()
        await desk.tokens.caller_of(token)
        desk.clock.advance(630)
        with pytest.raises(InvalidToken, match="expired"):
            await desk.tokens.caller_of(token)

    asyncio.run(story())
