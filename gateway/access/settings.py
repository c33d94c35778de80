"""What the gateway can be told about who may call it."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from chassis.access.settings import PRIVATE_KEY
from chassis.config import Environment

_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})

_OPEN_TO_ALL = (
    "the gateway would listen beyond this machine and let everybody in; set GATEWAY_AUTH=required and make keys with "
    "`ordermesh keys create`, or set GATEWAY_OIDC_ISSUER"
)


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Who is let in."""

    required: bool = False
    """GATEWAY_AUTH: required or local; local takes requests without credentials for those of this machine's own user,
    and is refused off loopback. Left out it is local on loopback without GATEWAY_OIDC_ISSUER, and required with it."""

    on_loopback: bool = True
    """Whether nobody but this machine reaches the gateway."""

    database_url: str = ""
    """GATEWAY_DATABASE_URL: where API keys are kept; else ORDERMESH_DATABASE_URL, else SQLite in ORDERMESH_DATA_DIR."""

    issuer: str = ""
    """GATEWAY_OIDC_ISSUER: the identity provider whose tokens count, exactly as their iss says; empty for none."""

    audience: str = ""
    """GATEWAY_OIDC_AUDIENCE: what a token's aud has to name: this API, as the identity provider knows it."""

    jwks_url: str = ""
    """GATEWAY_OIDC_JWKS_URL: where the identity provider's public keys are, https, or http on this machine; never taken
    from a token."""

    algorithms: frozenset[str] = frozenset({"RS256", "ES256"})
    """GATEWAY_OIDC_ALGORITHMS: how tokens may be signed; only ways with a public key."""

    customer_claim: str = "customer_id"
    """GATEWAY_OIDC_CUSTOMER_CLAIM: the claim that names the customer; a token with it sees their orders alone."""

    scope_claim: str = "scope"
    """GATEWAY_OIDC_SCOPE_CLAIM: the claim with the scopes of staff, as words in a text or as a list of words."""

    caller_key: Path = Path(PRIVATE_KEY)
    """GATEWAY_CALLER_KEY: the private key that tells services who calls; made by itself where it is not set."""

    make_caller_key: bool = True
    """Whether a key that is missing is made."""

    development_key: Path | None = None
    """The file with the development key; None off loopback, where none counts."""

    @classmethod
    def read(cls, environment: Environment, address: str, data_dir: Path) -> Self:
        """Read the settings; complaints stay with the environment."""
        issuer = environment.text("GATEWAY_OIDC_ISSUER", "")
        on_loopback = is_loopback(address)
        auth = environment.text("GATEWAY_AUTH", "")
        shared = environment.text("ORDERMESH_DATABASE_URL", f"sqlite:///{data_dir / 'gateway.db'}")
        default_key = str(data_dir / PRIVATE_KEY)
        caller_key = environment.text("GATEWAY_CALLER_KEY", default_key)
        settings = cls(
            required=auth == "required" or (not auth and bool(issuer)),
            on_loopback=on_loopback,
            database_url=environment.text("GATEWAY_DATABASE_URL", shared),
            issuer=issuer,
            audience=environment.text("GATEWAY_OIDC_AUDIENCE", ""),
            jwks_url=environment.url("GATEWAY_OIDC_JWKS_URL", ""),
            algorithms=frozenset(
                environment.text("GATEWAY_OIDC_ALGORITHMS", "RS256,ES256").replace(" ", "").split(",")
            ),
            customer_claim=environment.text("GATEWAY_OIDC_CUSTOMER_CLAIM", "customer_id"),
            scope_claim=environment.text("GATEWAY_OIDC_SCOPE_CLAIM", "scope"),
            caller_key=Path(caller_key),
            make_caller_key=caller_key == default_key,
            development_key=data_dir / "development-key" if on_loopback else None,
        )
        for name, complaint in settings._complaints(auth):
            environment.complain(name, complaint)
        return settings

    def _complaints(self, auth: str) -> Iterable[tuple[str, str]]:
        if auth not in {"", "local", "required"}:
            yield "GATEWAY_AUTH", f"{auth!r} is neither local nor required"
        if not self.on_loopback and not self.required:
            yield "GATEWAY_AUTH", _OPEN_TO_ALL
        if self.issuer and not (self.audience and self.jwks_url):
            yield "GATEWAY_OIDC_ISSUER", "is set, but GATEWAY_OIDC_AUDIENCE or GATEWAY_OIDC_JWKS_URL is not"
        parts = urlsplit(self.jwks_url)
        if parts.scheme == "http" and not is_loopback(parts.netloc if parts.port else f"{parts.netloc}:80"):
            yield "GATEWAY_OIDC_JWKS_URL", "is not https: whoever is on the way could hand in keys of their own"
        if unknown := self.algorithms - _ALGORITHMS:
            yield (
                "GATEWAY_OIDC_ALGORITHMS",
                f"{', '.join(sorted(unknown))}: use some of {', '.join(sorted(_ALGORITHMS))}",
            )


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches a "host:port"."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
