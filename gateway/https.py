"""HTTPS at the REST port: its certificate, taken up for new connections when its files are replaced.

Browsers and programs of other people speak to it, so it is an ordinary certificate of an authority that they trust, and
TLS from 1.2 on; the mesh's own certificates (chassis/trust) are another matter.
"""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from chassis.telemetry.metrics import Metrics
from chassis.trust.certificate import CHAIN, KEY, BadCertificate
from chassis.trust.files import CertificateFiles
from kernel.clock import Clock

# Of TLS 1.2 what has forward secrecy and authenticates what it encrypts, as Mozilla's "intermediate" has it; 1.3 has
# nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class WebCertificate:
    """A certificate with its key, as OpenSSL holds it.

    Attributes:
        name: Which hosts it is for.
        expires: From when on nobody accepts it.
        context: What a connection that begins now is served with.
    """

    name: str
    expires: datetime
    context: ssl.SSLContext


def read(folder: Path, now: datetime) -> WebCertificate:
    """Return the certificate in the folder.

    Raises:
        BadCertificate: It is missing, broken or out of its time, or the key is another one's.
    """
    place = folder / CHAIN
    try:
        leaf = x509.load_pem_x509_certificates(place.read_bytes())[0]
        context = _context(place, folder / KEY)
    except ssl.SSLError:
        raise BadCertificate(f"{folder / KEY} is no key to {place}, or one with a password") from None
    except OSError as error:
        raise BadCertificate(f"{error.filename or folder / KEY} cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadCertificate(f"{place} holds no PEM certificate, or a broken one") from None
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        begin, end = (f"{each:%Y-%m-%d %H:%M}" for each in (leaf.not_valid_before_utc, leaf.not_valid_after_utc))
        raise BadCertificate(f"{place} is good from {begin} to {end} UTC, and not now")
    return WebCertificate(_hosts(leaf), leaf.not_valid_after_utc, context)


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # A client that renegotiates has the server do the costly half of a handshake as often as it likes.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    # Without a word for the key OpenSSL would ask at the terminal.
    context.load_cert_chain(chain, key, password=lambda: b"")
    return context


def _hosts(leaf: x509.Certificate) -> str:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return leaf.subject.rfc4514_string()
    return ", ".join(str(each.value) for each in names)


def serving_context(folder: Path, clock: Clock, metrics: Metrics) -> ssl.SSLContext:
    """Return the context to listen with: each new connection gets the newest certificate that is any good.

    Raises:
        BadCertificate: There is none to begin with.
    """
    files = CertificateFiles(folder, (CHAIN, KEY), read, clock, metrics, "rest")
    listening = files.current().context

    def newest(connection: ssl.SSLObject | ssl.SSLSocket, _host: str | None, _context: ssl.SSLContext) -> None:
        # OpenSSL asks for it in each handshake, whether or not the client has named a host.
        connection.context = files.current().context

    listening.sni_callback = newest
    return listening
