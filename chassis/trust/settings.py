"""How a part of the mesh is told to reach the others: plaintext on one machine, mutual TLS, or a sidecar's TLS."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from chassis.config import Environment
from chassis.trust.names import TRUST_DOMAIN
from kernel.clock import SystemClock

# ICANN keeps .internal for names of one's own.
_TRUST_DOMAIN = "ordermesh.internal"

_NOWHERE: Mapping[str, str] = {}

_ADVICE = (
    "is not on this machine, and plaintext never leaves it: set ORDERMESH_TLS_DIR (`ordermesh certs dev` makes "
    "certificates), or ORDERMESH_TRANSPORT_SECURITY where a sidecar brings its own TLS"
)


class Security(enum.StrEnum):
    """Who sees to it that nobody listens in, and that the other end is who it says."""

    LOOPBACK = "loopback"
    """Nobody has to: nothing leaves the machine."""

    TLS = "tls"
    """We do."""

    ISTIO = "istio"
    """Istio's sidecar, or another Envoy: it names the client in x-forwarded-client-cert."""

    LINKERD = "linkerd"
    """Linkerd's proxy: it names the client in l5d-client-id."""


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """How a part of the mesh reaches the others."""

    service: str = ""
    """Its name in the mesh: "order"."""

    security: Security = Security.LOOPBACK
    """ORDERMESH_TRANSPORT_SECURITY: istio or linkerd where a sidecar brings TLS and names callers; else our own TLS
    with ORDERMESH_TLS_DIR, and plaintext on loopback without."""

    tls_dir: Path | None = None
    """ORDERMESH_TLS_DIR: holds NAME/tls.crt, NAME/tls.key and NAME/ca.crt for each part that runs here, as Kubernetes
    mounts TLS secrets; `ordermesh certs dev` makes them. Set, it turns mutual TLS on."""

    trust_domain: str = _TRUST_DOMAIN
    """ORDERMESH_TRUST_DOMAIN: the trust domain of the mesh's SPIFFE ids, with the path that they share where they have
    one: cluster.local/ns/shop/sa. With linkerd what its ids end in:
    shop.serviceaccount.identity.linkerd.cluster.local."""

    health_address: str = ""
    """ORDER_HEALTH_ADDR, TAX_HEALTH_ADDR, PAYMENT_HEALTH_ADDR, NOTIFY_HEALTH_ADDR: where the service answers health
    checks, and nothing else, in plaintext: Kubernetes' gRPC probes speak no TLS. Empty for nowhere."""

    @classmethod
    def read(
        cls,
        environment: Environment,
        service: str,
        *,
        listens: Mapping[str, str] = _NOWHERE,
        calls: Mapping[str, str] = _NOWHERE,
        with_certificate: bool = True,
    ) -> Self:
        """Read the settings, and complain about every address that leaves the machine without protection.

        Args:
            environment: Where they stand; keeps the complaints.
            service: Whose settings; its certificate lies in the folder of that name.
            listens: Where it listens for gRPC, by the variable that says so.
            calls: Where it calls, likewise.
            with_certificate: Whether it needs its certificate in any case, so that one that is no good is a complaint.
        """
        folder = environment.text("ORDERMESH_TLS_DIR", "")
        settings = cls(
            service=service,
            security=_security(environment, with_tls=bool(folder)),
            tls_dir=environment.path("ORDERMESH_TLS_DIR", "") if folder else None,
            trust_domain=environment.text("ORDERMESH_TRUST_DOMAIN", _TRUST_DOMAIN),
            health_address=environment.address(f"{service.upper()}_HEALTH_ADDR", "") if listens else "",
        )
        if not TRUST_DOMAIN.fullmatch(settings.trust_domain):
            environment.complain("ORDERMESH_TRUST_DOMAIN", f"{settings.trust_domain!r} is no SPIFFE trust domain")
        elif with_certificate and settings.tls_dir is not None and settings.security is Security.TLS:
            _check_certificate(environment, settings.tls_dir / service, settings.trust_domain)
        if settings.security is Security.LOOPBACK:
            for variable, address in {**listens, **calls}.items():
                if not environment.is_wrong(variable) and not is_on_this_machine(address):
                    environment.complain(variable, f"{address!r} {_ADVICE}")
        return settings


def is_on_this_machine(address: str) -> bool:
    """Return whether an address, as gRPC understands it, is loopback or a Unix socket."""
    scheme, colon, rest = address.partition(":")
    if scheme in {"unix", "unix-abstract"} and colon:
        return True
    if scheme in {"dns", "ipv4", "ipv6", "passthrough"} and colon:
        address = rest.rpartition("/")[2]
    return all(_is_loopback(each) for each in address.split(","))


def _is_loopback(address: str) -> bool:
    host, colon, port = address.rpartition(":")
    host = (host if colon and port.isdigit() else address).strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _security(environment: Environment, *, with_tls: bool) -> Security:
    word = environment.text("ORDERMESH_TRANSPORT_SECURITY", "")
    if word in {Security.ISTIO, Security.LINKERD}:
        if with_tls:
            environment.complain("ORDERMESH_TLS_DIR", f"is set, but TLS is {word}'s to bring; set one of the two")
        return Security(word)
    if word not in {"", Security.TLS}:
        environment.complain("ORDERMESH_TRANSPORT_SECURITY", f"{word!r} is none of tls, istio and linkerd")
    if word == Security.TLS and not with_tls:
        environment.complain("ORDERMESH_TLS_DIR", "is not set, but ORDERMESH_TRANSPORT_SECURITY is tls")
    return Security.TLS if with_tls else Security.LOOPBACK


def _check_certificate(environment: Environment, folder: Path, trust_domain: str) -> None:
    # A process without TLS need not load a library for certificates.
    from chassis.trust.certificate import BadCertificate, read  # noqa: PLC0415  (as said above)

    try:
        read(folder, trust_domain, SystemClock().now())
    except BadCertificate as error:
        environment.complain("ORDERMESH_TLS_DIR", str(error))
