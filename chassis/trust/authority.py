"""A certificate authority for one's own machine: what `ordermesh certs dev` makes, and tests.

In production certificates come from cert-manager, SPIRE or the company's own authority, with the same names in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chassis.owned_files import close_folder, make_folder, replace
from chassis.trust.certificate import CHAIN, FILES, KEY
from chassis.trust.names import spiffe_id

# The authority lives as long as a developer's checkout; a certificate as long as cert-manager's default.
AUTHORITY_LIFETIME = timedelta(days=3650)
CERTIFICATE_LIFETIME = timedelta(days=90)

# Clocks of two machines differ; what was made a moment ago is valid on both.
_BACKDATED = timedelta(minutes=5)

_BOTH_WAYS = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
_OWN_FOLDER = "ca"


@dataclass(frozen=True, slots=True)
class Issued:
    """The three files of a certificate, in PEM."""

    chain: bytes
    key: bytes
    roots: bytes

    def write(self, folder: Path) -> None:
        """Write the files into the folder, for nobody but its owner; each is replaced whole.

        Raises:
            OSError: Those that it names and that come after it are as they were.
        """
        make_folder(folder)
        close_folder(folder)
        for name, content in zip(FILES, (self.chain, self.key, self.roots), strict=True):
            replace(folder / name, content, 0o600)


class Authority:
    """An authority with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @property
    def certificate(self) -> bytes:
        """Return its own certificate in PEM: whom everybody trusts."""
        return self._certificate.public_bytes(Encoding.PEM)

    @classmethod
    def create(cls, trust_domain: str, now: datetime) -> "Authority":
        """Return a new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{trust_domain[:48]} dev CA")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        usage = _key_usage(digital_signature=False, signs_certificates=True)
        certificate = (
            _builder(name, name, key, now, AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, directory: Path) -> "Authority | None":
        """Return the one that was stored in the directory; None without.

        Raises:
            ValueError: Its files are broken.
        """
        folder = directory / _OWN_FOLDER
        try:
            certificate, key = (folder / CHAIN).read_bytes(), (folder / KEY).read_bytes()
        except FileNotFoundError:
            return None
        private = load_pem_private_key(key, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{folder / KEY} is not a key of this authority's kind")
        return cls(x509.load_pem_x509_certificate(certificate), private)

    def store(self, directory: Path) -> None:
        """Keep it in the directory, for nobody but its owner. Nobody who only runs services needs it."""
        Issued(self.certificate, _pem(self._key), self.certificate).write(directory / _OWN_FOLDER)

    def issue(
        self,
        uris: Sequence[str],
        dns_names: Sequence[str],
        now: datetime,
        *,
        lifetime: timedelta = CERTIFICATE_LIFETIME,
        usages: Sequence[x509.ObjectIdentifier] = _BOTH_WAYS,
        common_name: str = "",
    ) -> Issued:
        """Return a new certificate with these names, good for both ends of a connection unless told otherwise."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [_dns_or_ip(name) for name in dns_names]
        builder = _builder(x509.Name(attributes), self._certificate.subject, key, now, lifetime)
        if names:
            # Critical where there is no subject beside it (RFC 5280, 4.2.1.6).
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not attributes)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True, signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, SHA256())
        )
        return Issued(certificate.public_bytes(Encoding.PEM), _pem(key), self.certificate)

    def issue_for(
        self, service: str, trust_domain: str, now: datetime, *, lifetime: timedelta = CERTIFICATE_LIFETIME
    ) -> Issued:
        """Return a new certificate for a part of the mesh, good on this machine: its SPIFFE id, its name, localhost."""
        dns_names = (service, "localhost", "127.0.0.1", "::1")
        return self.issue((spiffe_id(trust_domain, service),), dns_names, now, lifetime=lifetime)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now - _BACKDATED, now + lifetime - _BACKDATED))
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, digital_signature: bool, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _dns_or_ip(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
