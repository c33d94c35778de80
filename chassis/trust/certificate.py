"""The certificate of one part of the mesh, as it lies in its folder: tls.crt, tls.key and ca.crt.

Those are the names that Kubernetes and cert-manager give the members of a TLS secret, so that a secret mounted at
DIR/order is what order_svc reads.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from chassis.config import ConfigError
from chassis.trust.names import NotOurs, service_named

CHAIN, KEY, ROOTS = "tls.crt", "tls.key", "ca.crt"
FILES = (CHAIN, KEY, ROOTS)

_BOTH_WAYS = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


class BadCertificate(ConfigError):
    """A folder holds no certificate that can be used; the message names the file and says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, and whom its holder trusts.

    Attributes:
        service: Whom it names: "order".
        spiffe_id: The same in full.
        dns_names: Under which names clients accept it.
        expires: From when on nobody accepts it.
        chain: PEM; the certificate, then those between it and a root.
        key: PEM.
        roots: PEM; whose certificates the holder accepts.
    """

    service: str
    spiffe_id: str
    dns_names: tuple[str, ...]
    expires: datetime
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)
    roots: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Return whom it names, for the log."""
        return self.spiffe_id


def read(folder: Path, trust_domain: str, now: datetime) -> Certificate:
    """Return the certificate in the folder, whose name is the service's.

    Raises:
        BadCertificate: It is missing, broken, out of its time, or not this service's.
    """
    chain, key, roots = (_content(folder / name) for name in FILES)
    leaf = _certificates(folder / CHAIN, chain)[0]
    _check_key(folder / KEY, key, leaf)
    for root in _certificates(folder / ROOTS, roots):
        _check_root(folder / ROOTS, root)
    place = folder / CHAIN
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        word = "expired on" if now >= leaf.not_valid_after_utc else "is not valid before"
        moment = leaf.not_valid_after_utc if now >= leaf.not_valid_after_utc else leaf.not_valid_before_utc
        raise BadCertificate(f"{place} {word} {moment:%Y-%m-%d %H:%M} UTC")
    uris, dns_names = _names(leaf)
    try:
        service = service_named(uris, trust_domain)
    except NotOurs as error:
        raise BadCertificate(f"{place}: {error}") from None
    if service != folder.name:
        raise BadCertificate(f"{place} is {service}'s, not {folder.name}'s")
    if service not in dns_names:
        raise BadCertificate(f"{place} lacks the DNS name {service!r}, by which clients know it")
    if not _usages(leaf) >= _BOTH_WAYS:
        raise BadCertificate(f"{place} is not for both clientAuth and serverAuth")
    return Certificate(service, uris[0], tuple(dns_names), leaf.not_valid_after_utc, chain, key, roots)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{path} cannot be read: {error.strerror}") from None


def _certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise BadCertificate(f"{path} holds no PEM certificate, or a broken one") from None


def _check_key(path: Path, content: bytes, leaf: x509.Certificate) -> None:
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        raise BadCertificate(f"{path} holds no PEM key, or one with a password") from None
    ours, theirs = (
        each.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for each in (key.public_key(), leaf.public_key())
    )
    if ours != theirs:
        raise BadCertificate(f"{path} does not belong to the certificate beside it")


def _check_root(path: Path, root: x509.Certificate) -> None:
    """Refuse a leaf among the roots: whoever holds its key could otherwise not be told from an authority."""
    try:
        constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = None
    if constraints is None or not constraints.ca:
        raise BadCertificate(f"{path} holds a certificate that is no authority's")


def _names(leaf: x509.Certificate) -> tuple[list[str], list[str]]:
    """Return the URI names and the DNS names."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], []
    return names.get_values_for_type(x509.UniformResourceIdentifier), names.get_values_for_type(x509.DNSName)


def _usages(leaf: x509.Certificate) -> set[x509.ObjectIdentifier]:
    try:
        return set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return _BOTH_WAYS  # without the extension it is good for anything (RFC 5280, 4.2.1.12)
