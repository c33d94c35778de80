"""What a part of the mesh shows the others, and what it demands of them: for its server and for its channels."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import grpc

from chassis.telemetry.metrics import Metrics
from chassis.trust import peer
from chassis.trust.peer import ServiceOf
from chassis.trust.settings import Security, TransportSettings
from kernel.clock import SystemClock

Options = Sequence[tuple[str, int | str]]

Connect = Callable[[str, Options], grpc.aio.Channel]
"""Opens a channel to a target ("127.0.0.1:50051", "dns:///order:50051") with grpc's own options."""

# grpcio gives a client no say in how a server's certificate is checked, but for the DNS name that it must have. That is
# the name of the service, whatever address it is called by: whoever has taken over an address, or the DNS, must still
# show a certificate that the mesh's authority has made out to that service. Certificates have the SPIFFE id as well.
_EXPECTED_NAME = "grpc.ssl_target_name_override"


def plaintext(target: str, options: Options) -> grpc.aio.Channel:
    """Open a channel that shows nothing and demands nothing, within this machine."""
    return grpc.aio.insecure_channel(target, options=options)


def through_sidecar(target: str, options: Options) -> grpc.aio.Channel:
    """Open a channel to the sidecar beside us, which chooses among the replicas and speaks TLS with them."""
    return plaintext(target, options)


class Transport:
    """How one part of the mesh reaches the others; without settings in plaintext, on this machine alone.

    Args:
        settings: What it was told.
        metrics: Gets to know when its certificate expires.

    Raises:
        BadCertificate: It has none. Settings that were read from the environment have been checked already.
    """

    def __init__(self, settings: TransportSettings | None = None, metrics: Metrics | None = None) -> None:
        self._settings = settings or TransportSettings()
        self._certificates = None
        if self._settings.security is Security.TLS and self._settings.tls_dir is not None:
            # A process without TLS need not load a library for certificates.
            from chassis.trust.certificate import FILES, read  # noqa: PLC0415  (as said above)
            from chassis.trust.files import CertificateFiles  # noqa: PLC0415  (likewise)

            folder = self._settings.tls_dir / self._settings.service
            domain = self._settings.trust_domain
            self._certificates = CertificateFiles(
                folder,
                FILES,
                lambda place, now: read(place, domain, now),
                SystemClock(),
                metrics or Metrics(folder.name),
            )

    @property
    def service_of(self) -> ServiceOf:
        """Return what says who is at the other end of a call's connection."""
        match self._settings.security:
            case Security.LOOPBACK:
                return peer.on_loopback
            case Security.TLS:
                return peer.by_certificate(self._settings.trust_domain)
            case sidecar:
                from chassis.trust.sidecar import by_istio, by_linkerd  # noqa: PLC0415  (only behind one)

                return (by_istio if sidecar is Security.ISTIO else by_linkerd)(self._settings.trust_domain)

    @property
    def health_address(self) -> str:
        """Return where health checks are answered in plaintext; empty for nowhere."""
        return self._settings.health_address

    def server_credentials(self) -> grpc.ServerCredentials | None:
        """Return what a server shows and demands: clients' certificates. None in plaintext.

        grpc asks for the certificate at each new connection, so that one that was replaced counts from then on.
        """
        if self._certificates is None:
            return None
        files = self._certificates
        shown = files.current()

        def configuration() -> grpc.ServerCertificateConfiguration:
            return grpc.ssl_server_certificate_configuration([(shown.key, shown.chain)], shown.roots)

        def newest() -> grpc.ServerCertificateConfiguration:
            nonlocal shown
            current = files.current()
            if current is shown:
                return cast("grpc.ServerCertificateConfiguration", None)  # grpc's word for: as before
            shown = current
            return configuration()

        return grpc.dynamic_ssl_server_credentials(configuration(), newest, require_client_authentication=True)

    def to(self, service: str) -> Connect:
        """Return what opens channels to a service, which has to show that it is that service: "order"."""
        if self._settings.security in {Security.ISTIO, Security.LINKERD}:
            return through_sidecar
        return partial(self._channel, service)

    def _channel(self, service: str, target: str, options: Options) -> grpc.aio.Channel:
        if self._certificates is None:
            return plaintext(target, options)
        from chassis.trust.certificate import Certificate  # noqa: PLC0415  (loaded with the files above)
        from chassis.trust.rotating import RotatingChannel  # noqa: PLC0415  (likewise)

        def open_channel(certificate: Certificate) -> grpc.aio.Channel:
            credentials = grpc.ssl_channel_credentials(certificate.roots, certificate.key, certificate.chain)
            return grpc.aio.secure_channel(target, credentials, options=[*options, (_EXPECTED_NAME, service)])

        return cast("grpc.aio.Channel", RotatingChannel(self._certificates.current, open_channel))
