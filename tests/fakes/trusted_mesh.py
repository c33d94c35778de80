"""Certificates as `ordermesh certs dev` makes them, and such as only an attacker or a mistake would show."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.x509 import ObjectIdentifier

from chassis.telemetry.metrics import Metrics
from chassis.trust.authority import Authority, Issued
from chassis.trust.names import spiffe_id
from chassis.trust.settings import Security, TransportSettings
from chassis.trust.transport import Transport

DOMAIN = "ordermesh.internal"


class TrustedMesh:
    """The directory, and the authority that everybody in it trusts.

    Attributes:
        directory: What ORDERMESH_TLS_DIR says.
        authority: Signs.
        now: When certificates are made.
    """

    def __init__(self, directory: Path, *services: str) -> None:
        self.directory = directory
        self.now = datetime.now(UTC)  # noqa: TID251  (TLS compares with the machine's clock)
        self.authority = Authority.create(DOMAIN, self.now)
        for service in services:
            self.renew(service)

    def renew(self, service: str, lifetime: timedelta = timedelta(days=90)) -> Issued:
        """Make out a certificate to the service, put it in its folder and return it."""
        issued = self.authority.issue_for(service, DOMAIN, self.now, lifetime=lifetime)
        issued.write(self.directory / service)
        return issued

    def trust(self, service: str, *authorities: Authority) -> None:
        """Have the service trust exactly these authorities."""
        (self.directory / service / "ca.crt").write_bytes(b"".join(each.certificate for each in authorities))

    def odd(
        self,
        *,
        uris: tuple[str, ...] = (spiffe_id(DOMAIN, "shop"),),
        authority: Authority | None = None,
        lifetime: timedelta = timedelta(days=1),
        usages: tuple[ObjectIdentifier, ...] | None = None,
        common_name: str = "",
    ) -> Issued:
        """Return a client's certificate that is odd in one way."""
        signing = authority or self.authority
        more = {} if usages is None else {"usages": usages}
        return signing.issue(uris, ("shop",), self.now, lifetime=lifetime, common_name=common_name, **more)

    def settings(self, service: str) -> TransportSettings:
        """Return what the service is told."""
        return TransportSettings(service, Security.TLS, self.directory, DOMAIN)

    def transport(self, service: str) -> Transport:
        """Return how the service reaches the others."""
        return Transport(self.settings(service), Metrics(service))
