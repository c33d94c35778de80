"""`ordermesh migrate`: brings the services' tables up to date, as each service does itself when it starts."""

import click

from cli import mesh
from cli.config import environment
from cli.failures import Failure

_SERVICES = ("order", "tax", "payment", "notify")


@click.command()
@click.argument("services", nargs=-1, type=click.Choice(_SERVICES))
def command(services: tuple[str, ...]) -> None:
    """Bring the tables of the services up to date; of all of them when none is named."""
    values = environment()
    for part in [mesh.load(name, values) for name in services or _SERVICES]:
        assert part.database is not None, "each of these services keeps tables"
        try:
            changed = part.database.migrate()
        except part.mistakes as error:
            raise Failure(f"{part.name} was not migrated: {mesh.why(part, error)}") from None
        done = "brought up to date" if changed else "was up to date"
        click.echo(f"{part.name:<8} {done:<20} {part.database.shown()}")
