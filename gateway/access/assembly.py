"""The guard of a gateway, put together from its settings."""

import logging
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.access.keys import KeyUnusable, own_signing_key, signing_key
from chassis.access.rules import scopes_of
from chassis.access.settings import PUBLIC_KEYS
from chassis.http import HttpTransport
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Tracer
from gateway.access import development
from gateway.access.guard import Guard
from gateway.access.jwks import KeySet
from gateway.access.key_ring import KeyRing
from gateway.access.key_table import KeyTable
from gateway.access.settings import AuthSettings
from gateway.access.tokens import Tokens
from gateway.contract import Contract
from kernel.clock import Clock

_logger = logging.getLogger(__name__)

_JWKS_SECONDS = 3.0
# A set of a hundred RSA keys is some 50 KB.
_JWKS_BYTES = 262_144
_OK = 200


def guard(
    settings: AuthSettings,
    contract: Contract,
    clock: Clock,
    tracer: Tracer,
    metrics: Metrics,
    ending: AsyncExitStack,
    *,
    secured: bool,
) -> Guard:
    """Return the guard.

    Args:
        settings: Who is let in.
        contract: What there is to ask for.
        clock: The time.
        tracer: Records the calls of the identity provider.
        metrics: Counts them.
        ending: Closes what was opened.
        secured: Whether services know the gateway by a certificate, and believe nobody else who has none.

    Raises:
        OSError: The key that tells services who calls is unusable; the message says what to do.
    """
    scopes = scopes_of(contract.services)
    if not settings.make_caller_key:
        try:
            signing_key(settings.caller_key)
        except KeyUnusable as error:
            raise OSError(str(error)) from None
    keys = KeyRing(KeyTable(settings.database_url), clock)
    ending.push_async_callback(keys.close)
    return Guard(
        keys,
        _tokens(settings, scopes, clock, tracer, metrics, ending) if settings.issuer else None,
        required=settings.required,
        development_key=development.reader(settings.development_key),
        scopes=scopes,
        signing_key=lambda: _signing_key(settings),
        secured=secured,
        clock=clock,
    )


def _tokens(
    settings: AuthSettings,
    scopes: frozenset[str],
    clock: Clock,
    tracer: Tracer,
    metrics: Metrics,
    ending: AsyncExitStack,
) -> Tokens:
    transport = HttpTransport(
        "identity-provider",
        settings.jwks_url,
        tracer=tracer,
        metrics=metrics,
        timeout_seconds=_JWKS_SECONDS,
        max_connections=1,
        max_answer_bytes=_JWKS_BYTES,
    )
    ending.push_async_callback(transport.aclose)
    parts = urlsplit(settings.jwks_url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    async def fetch() -> bytes:
        headers = {"accept": "application/json"}
        answer = await transport.request("GET", target, operation="get_keys", headers=headers)
        if answer.status != _OK:
            raise ValueError(f"status {answer.status}")
        return answer.body

    keys = KeySet(fetch, clock)
    ending.push_async_callback(keys.close)
    return Tokens(
        keys,
        issuer=settings.issuer,
        audience=settings.audience,
        algorithms=settings.algorithms,
        customer_claim=settings.customer_claim,
        scope_claim=settings.scope_claim,
        scopes=scopes,
        clock=clock,
    )


def _signing_key(settings: AuthSettings) -> Ed25519PrivateKey:
    if settings.make_caller_key and not settings.caller_key.exists():
        _logger.info("gateway.caller_key_made", extra={"file": str(settings.caller_key)})
        return own_signing_key(settings.caller_key, settings.caller_key.with_name(PUBLIC_KEYS.rpartition("/")[2]))
    return signing_key(settings.caller_key)
