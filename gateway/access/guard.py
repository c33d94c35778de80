"""Who a request comes from, whether they may ask for it, and the word on it that goes to the service."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.access.contexts import METADATA_KEY, Signer
from chassis.access.rules import Rule
from chassis.caller import LOCAL, MACHINES_USER, Caller
from gateway.access.api_keys import PREFIX
from gateway.access.challenge import Unauthenticated
from gateway.access.key_ring import KeyRing
from gateway.access.settings import is_loopback
from gateway.access.tokens import InvalidToken, Tokens
from gateway.asgi import Headers
from kernel.clock import Clock
from kernel.errors import Reason, Refusal

_AUTHORIZATION = b"authorization"
_BEARER = "bearer"
# What proxies add: a request that came through one is not this machine's user's.
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")

# Whom the rules of the contract let in without a word in it: nobody but the machine's own user.
NOBODY = Rule(services=frozenset(), scope="", own=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that may go on.

    Attributes:
        who: Who asks.
        metadata: What tells the service so.
        until: Until when their credentials are good, in seconds since 1970; None for no end.
        headers: The request's, by which the credentials are looked at again.
    """

    who: Caller
    metadata: tuple[tuple[str, str], ...]
    until: float | None
    headers: Headers


class Guard:
    """Lets requests in.

    Attributes:
        required: Whether nobody is let in without credentials.

    Args:
        keys: The API keys.
        tokens: The identity provider's; None without one.
        required: Whether nobody is let in without credentials.
        development_key: A key that opens everything; None where none counts.
        scopes: All that there are.
        signing_key: Returns the key that contexts are signed with; called when the first one is needed.
        secured: Whether services are called over TLS, where they take no call that nobody is named for.
        clock: The time.
    """

    def __init__(
        self,
        keys: KeyRing,
        tokens: Tokens | None,
        *,
        required: bool,
        development_key: Callable[[str], bool],
        scopes: frozenset[str],
        signing_key: Callable[[], Ed25519PrivateKey],
        secured: bool,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self.required = required
        self._is_development_key = development_key
        self._everything = Caller(LOCAL, LOCAL, scopes, vouched=True)
        self._signing_key = signing_key
        self._secured = secured
        self._signer: Signer | None = None
        self._clock = clock

    async def prepare(self) -> None:
        """Read what is needed to tell who asks, before the first one does."""
        await self._keys.prepare()

    async def admit(self, headers: Headers, rule: Rule, audience: str) -> Admission:
        """Return what goes to the service ("order").

        Args:
            headers: The request's.
            rule: Who may ask for it.
            audience: The service.

        Raises:
            Refusal: UNAUTHENTICATED or PERMISSION_DENIED, or UNAVAILABLE when it cannot be told.
        """
        who, until = await self._caller(headers)
        if not rule.allows(who):
            if who.customer_id or not rule.scope:
                raise Refusal(Reason.PERMISSION_DENIED, "These credentials are not for this.")
            raise Refusal(
                Reason.PERMISSION_DENIED, f"This needs the scope {rule.scope}.", metadata={"scope": rule.scope}
            )
        return Admission(who, self._metadata(who, audience), until, headers)

    async def still(self, admission: Admission) -> None:
        """Make sure that the credentials of a request that goes on for long are still good.

        Raises:
            Refusal: They are not any more.
        """
        await self._caller(admission.headers)

    async def _caller(self, headers: Headers) -> tuple[Caller, float | None]:
        given = headers.all(_AUTHORIZATION)
        if not given:
            if self.required:
                raise Unauthenticated("Send an API key or a token: Authorization: Bearer ….", presented=False)
            _require_this_machine(headers)
            return (self._everything if self._secured else MACHINES_USER), None
        scheme, _, credential = given[0].partition(" ")
        credential = credential.strip()
        if len(given) > 1 or scheme.lower() != _BEARER or not credential:
            raise Unauthenticated("Authorization has to be one Bearer with an API key or a token.", presented=True)
        if credential.startswith(PREFIX):
            return await self._by_key(credential), None
        return await self._by_token(credential)

    async def _by_key(self, key: str) -> Caller:
        who = self._everything if self._is_development_key(key) else await self._keys.caller_of(key)
        if who is None:
            raise Unauthenticated("This API key is not known, has expired, or was revoked.", presented=True)
        return who

    async def _by_token(self, token: str) -> tuple[Caller, float]:
        if self._tokens is None:
            raise Unauthenticated("No identity provider is configured, so no token counts.", presented=True)
        try:
            return await self._tokens.caller_of(token)
        except InvalidToken as error:
            raise Unauthenticated(f"This token does not count: {error}.", presented=True) from None

    def _metadata(self, who: Caller, audience: str) -> tuple[tuple[str, str], ...]:
        if who is MACHINES_USER:
            return ()  # On loopback the service sees for itself who it is.
        if self._signer is None:
            self._signer = Signer(self._signing_key(), self._clock)
        return ((METADATA_KEY, self._signer.context_of(who, audience)),)


def _require_this_machine(headers: Headers) -> None:
    """Make sure that a request without credentials was made on this machine, on purpose.

    A page of some other origin can have a browser ask us, under a name of its own that leads here (DNS rebinding) or
    from its own origin; a proxy on this machine hands on what others ask.

    Raises:
        Refusal: UNAUTHENTICATED.
    """
    host = headers.one(b"host")
    named_here = is_loopback(host if ":" in host.rpartition("]")[2] else f"{host}:80")
    origin = headers.one(b"origin")
    foreign = bool(origin) and origin.partition("://")[2] != host
    if not named_here or foreign or any(headers.one(name) for name in FORWARDED):
        raise Unauthenticated(
            "Without credentials only programs on this machine may ask, and by its own name.", presented=False
        )
