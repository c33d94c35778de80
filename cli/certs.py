"""`ordermesh certs`: certificates for a mesh on one's own machine, and a look at those that there are."""

from pathlib import Path

import click
from rich.table import Table

from chassis.access.settings import OPERATOR
from chassis.trust.authority import Authority
from chassis.trust.certificate import BadCertificate, Certificate, read
from chassis.trust.files import EXPIRES_SOON
from chassis.trust.settings import TransportSettings
from cli.config import CliConfig, environment
from cli.console import console
from cli.failures import Failure
from kernel.clock import SystemClock

_SERVICES = ("order", "tax", "payment", "notify", "gateway", OPERATOR)


@click.group()
def group() -> None:
    """Make and show the certificates by which the parts of the mesh know one another."""


@group.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".ordermesh/tls")
@click.option("--service", "services", multiple=True, help="For whom; every part of the mesh unless given. Repeatable.")
def dev(directory: Path, services: tuple[str, ...]) -> None:
    """Make a certificate authority for this machine and a certificate for each part of the mesh.

    Run again, it renews the certificates under the same authority; processes take them up by themselves. Its key lies
    in DIRECTORY/ca: for development alone.
    """
    settings = _settings()
    now = SystemClock().now()
    try:
        authority = Authority.load(directory)
        if authority is None:
            authority = Authority.create(settings.trust_domain, now)
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            authority.store(directory)
        for service in services or _SERVICES:
            authority.issue_for(service, settings.trust_domain, now).write(directory / service)
    except (OSError, ValueError, TypeError) as error:
        raise Failure(f"The certificates cannot be made in {directory}: {error}") from None
    _show(directory.absolute(), settings.trust_domain)
    click.echo(f"\nexport ORDERMESH_TLS_DIR={directory.absolute()}")


@group.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), required=False)
def show(directory: Path | None) -> None:
    """List the certificates of a directory, ORDERMESH_TLS_DIR unless given; exit code 1 when one is no good."""
    settings = _settings()
    place = directory or settings.tls_dir
    if place is None:
        raise click.UsageError("Name a directory, or set ORDERMESH_TLS_DIR.")
    if not _show(place.absolute(), settings.trust_domain):
        raise Failure("Not all of them can be used.")


def _settings() -> TransportSettings:
    return CliConfig.from_env(environment()).transport


def _show(directory: Path, trust_domain: str) -> bool:
    """Print the certificates and return whether all of them can be used."""
    now = SystemClock().now()
    table = Table("service", "SPIFFE id", "DNS names", "expires", "", box=None)
    good = True
    folders = sorted(each for each in directory.glob("*") if each.is_dir() and each.name not in {"ca", "..data"})
    if not folders:
        raise Failure(f"There are no certificates in {directory}; `ordermesh certs dev` makes some.")
    for folder in folders:
        try:
            certificate: Certificate = read(folder, trust_domain, now)
        except BadCertificate as error:
            good = False
            table.add_row(folder.name, "", "", "", str(error).replace(f"{directory}/", ""))
            continue
        soon = "soon: renew it" if certificate.expires - now <= EXPIRES_SOON else ""
        names = " ".join(certificate.dns_names)
        table.add_row(folder.name, certificate.spiffe_id, names, f"{certificate.expires:%Y-%m-%d %H:%M} UTC", soon)
    console().print(table)
    return good
