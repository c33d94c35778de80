"""What the gateway can be told about who encrypts what it is asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from chassis.config import Environment
from chassis.trust.settings import Security
from gateway.access.settings import is_loopback
from kernel.clock import SystemClock

_TLS, _PROXY = "tls", "proxy"

_ADVICE = (
    "is not on this machine, and plaintext never leaves it: set GATEWAY_TLS_DIR, or GATEWAY_TRANSPORT_SECURITY=proxy "
    "where an ingress or a reverse proxy in front speaks HTTPS with those who ask"
)


@dataclass(frozen=True, slots=True)
class HttpsSettings:
    """Who encrypts what the gateway is asked."""

    tls_dir: Path | None = None
    """GATEWAY_TLS_DIR: holds tls.crt and tls.key of the REST port, as Kubernetes mounts TLS secrets; set, the port
    speaks HTTPS and nothing else."""

    behind_proxy: bool = False
    """GATEWAY_TRANSPORT_SECURITY: proxy where an ingress or a reverse proxy speaks HTTPS with those who ask, and the
    gateway plaintext with it; else HTTPS with GATEWAY_TLS_DIR, and plaintext on loopback without."""

    @classmethod
    def read(cls, environment: Environment, address: str, mesh: Security) -> Self:
        """Read the settings; complaints stay with the environment.

        Args:
            environment: Where they stand.
            address: Where the gateway listens.
            mesh: Who encrypts between the parts: a sidecar does so in front of the gateway as well.
        """
        folder = environment.text("GATEWAY_TLS_DIR", "")
        word = environment.text("GATEWAY_TRANSPORT_SECURITY", "")
        settings = cls(environment.path("GATEWAY_TLS_DIR", "") if folder else None, word == _PROXY)
        if word not in {"", _TLS, _PROXY}:
            environment.complain("GATEWAY_TRANSPORT_SECURITY", f"{word!r} is neither tls nor proxy")
        elif settings.behind_proxy and folder:
            environment.complain("GATEWAY_TLS_DIR", "is set, but TLS is the proxy's to bring; set one of the two")
        elif word == _TLS and not folder:
            environment.complain("GATEWAY_TLS_DIR", "is not set, but GATEWAY_TRANSPORT_SECURITY is tls")
        if settings.tls_dir is not None:
            _check_certificate(environment, settings.tls_dir)
        elif not settings.behind_proxy and not _is_private(environment, address, mesh):
            environment.complain("ORDERMESH_GATEWAY_ADDR", f"{address!r} {_ADVICE}")
        return settings


def _is_private(environment: Environment, address: str, mesh: Security) -> bool:
    """Return whether nobody can listen in on the address; one that makes no sense is told of elsewhere."""
    if environment.is_wrong("ORDERMESH_GATEWAY_ADDR") or "://" in address or address.startswith("unix:"):
        return True
    return is_loopback(address) or mesh in {Security.ISTIO, Security.LINKERD}


def _check_certificate(environment: Environment, folder: Path) -> None:
    # A process without TLS need not load a library for certificates.
    from chassis.trust.certificate import BadCertificate  # noqa: PLC0415  (as said above)
    from gateway.https import read  # noqa: PLC0415  (likewise)

    try:
        read(folder, SystemClock().now())
    except BadCertificate as error:
        environment.complain("GATEWAY_TLS_DIR", str(error))
