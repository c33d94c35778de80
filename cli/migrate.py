"""`ordermesh migrate`: brings the services' tables up to date, as each service does itself when it starts."""

import click
from sqlalchemy import make_url

from chassis.storage import migrations
from cli import mesh
from cli.config import environment
from cli.failures import Failure
from cli.part import Database

_SERVICES = ("order", "tax", "payment", "notify")


@click.command()
@click.argument("services", nargs=-1, type=click.Choice(_SERVICES))
def command(services: tuple[str, ...]) -> None:
    """Bring the tables of the services up to date; of all of them when none is named."""
    values = environment()
    databases = {name: mesh.load(name, values).database for name in services or _SERVICES}
    for name, database in databases.items():
        assert database is not None, "each of these services keeps tables"
        try:
            done = _migrate(database)
        except mesh.NOT_OURS as error:
            raise Failure(f"{name} was not migrated: {error}") from None
        click.echo(f"{name:<8} {done:<20} {make_url(database.url).render_as_string(hide_password=True)}")


def _migrate(database: Database) -> str:
    if migrations.is_current(database.url, database.migrations):
        return "was up to date"
    migrations.run(database.url, database.migrations)
    return "brought up to date"
