"""`ordermesh certs`: certificates for a mesh on one's own machine, and a look at those that there are."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from chassis.access.settings import OPERATOR
from chassis.owned_files import make_folder
from chassis.trust.authority import Authority
from chassis.trust.certificate import CHAIN, BadCertificate, read
from chassis.trust.files import EXPIRES_SOON
from cli.config import CliConfig, environment
from cli.failures import Failure
from cli.output import output_option, show
from cli.value_view import Json
from gateway import https
from kernel.clock import SystemClock

_SERVICES = ("order", "tax", "payment", "notify", "gateway", OPERATOR)
_USUAL_PLACE = Path(".ordermesh/tls")
# The authority's own, Kubernetes', and what the top of a file system has, into which only root looks.
_NOT_OF_PARTS = frozenset({"ca", "..data", "lost+found"})


@click.group()
def group() -> None:
    """Make and show the certificates by which the parts of the mesh know one another."""


@group.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--service", "services", multiple=True, help="For whom; every part of the mesh unless given. Repeatable.")
@output_option
def dev(directory: Path | None, services: tuple[str, ...], output: str) -> None:
    """Make a certificate authority for this machine and a certificate for each part of the mesh.

    They lie in DIRECTORY, else ORDERMESH_TLS_DIR, else .ordermesh/tls, and are good for 90 days. Run again, it renews
    them under the same authority; processes take them up by themselves. Its key lies in DIRECTORY/ca: for one machine.
    """
    settings = _config().transport
    directory = directory or settings.tls_dir or _USUAL_PLACE
    now = SystemClock().now()
    try:
        authority = Authority.load(directory)
        if authority is None:
            if any((each / CHAIN).exists() for each in _folders(directory)):
                raise Failure(
                    f"The certificates in {directory} are of another authority, and nobody would trust them if these "
                    "replaced them. Name another directory."
                )
            authority = Authority.create(settings.trust_domain, now)
            make_folder(directory)
            authority.store(directory)
        for service in services or _SERVICES:
            authority.issue_for(service, settings.trust_domain, now).write(directory / service)
    except (OSError, ValueError, TypeError) as error:
        raise Failure(f"The certificates cannot be made in {directory}: {error}") from None
    show(_certificates(directory.absolute(), settings.trust_domain), output, _table)
    if output != "json":
        click.echo(f"\nexport ORDERMESH_TLS_DIR={directory.absolute()}")


@group.command("show")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), required=False)
@output_option
def show_all(directory: Path | None, output: str) -> None:
    """List the certificates of a directory; exit code 1 when one is no good.

    Without a directory those of ORDERMESH_TLS_DIR, and that of the gateway's HTTPS in GATEWAY_TLS_DIR as "rest".
    """
    config = _config()
    place = directory or config.transport.tls_dir
    web = config.gateway_tls_dir if directory is None else None
    if place is None and web is None:
        raise click.UsageError("Name a directory, or set ORDERMESH_TLS_DIR.")
    certificates = _certificates(place.absolute(), config.transport.trust_domain) if place is not None else []
    if web is not None:
        certificates.append(_web_certificate(web))
    show(certificates, output, _table)
    if any(each["problem"] for each in certificates):
        raise Failure("Not all of them can be used.")


def _config() -> CliConfig:
    return CliConfig.from_env(environment())


def _folders(directory: Path) -> list[Path]:
    """Return the folders for certificates of parts."""
    return sorted(each for each in directory.glob("*") if each.is_dir() and each.name not in _NOT_OF_PARTS)


def _certificates(directory: Path, trust_domain: str) -> list[Json]:
    """Return what is known of each certificate; what is no good has a problem in place of the rest.

    Raises:
        Failure: There are none.
    """
    folders = _folders(directory)
    if not folders:
        raise Failure(f"There are no certificates in {directory}; `ordermesh certs dev` makes some.")
    return [_certificate(folder, trust_domain) for folder in folders]


def _certificate(folder: Path, trust_domain: str) -> Json:
    now = SystemClock().now()
    try:
        certificate = read(folder, trust_domain, now)
    except BadCertificate as error:
        return {"service": folder.name, "problem": str(error).replace(f"{folder.parent}/", "")}
    return {
        "service": folder.name,
        "problem": "",
        "spiffe_id": certificate.spiffe_id,
        "dns_names": list(certificate.dns_names),
        "expires": certificate.expires,
        "expires_soon": certificate.expires - now <= EXPIRES_SOON,
    }


def _web_certificate(folder: Path) -> Json:
    """Return what is known of the certificate of the gateway's HTTPS, which has no SPIFFE id."""
    now = SystemClock().now()
    try:
        certificate = https.read(folder, now)
    except BadCertificate as error:
        return {"service": "rest", "problem": str(error)}
    return {
        "service": "rest",
        "problem": "",
        "spiffe_id": "",
        "dns_names": certificate.name.split(", "),
        "expires": certificate.expires,
        "expires_soon": certificate.expires - now <= EXPIRES_SOON,
    }


def _table(certificates: Sequence[Json]) -> Table:
    table = Table("service", "SPIFFE id", "DNS names", "expires", "", box=None)
    for each in certificates:
        if each["problem"]:
            table.add_row(each["service"], "", "", "", each["problem"])
            continue
        soon = "soon: renew it" if each["expires_soon"] else ""
        names, expires = " ".join(each["dns_names"]), f"{each['expires']:%Y-%m-%d %H:%M} UTC"
        table.add_row(each["service"], each["spiffe_id"], names, expires, soon)
    return table
