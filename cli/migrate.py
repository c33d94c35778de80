"""`ordermesh migrate`: brings the tables of the parts up to date, as each service does itself when it starts."""

import click

from cli import mesh
from cli.config import environment
from cli.failures import Failure

_PARTS = ("order", "tax", "payment", "notify", "gateway")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(_PARTS))
def command(parts: tuple[str, ...]) -> None:
    """Bring the tables of the parts up to date; of all of them when none is named. The gateway's are its API keys."""
    values = environment()
    for part in [mesh.load(name, values) for name in parts or _PARTS]:
        assert part.database is not None, "each of these parts keeps tables"
        try:
            changed = part.database.migrate()
        except part.database.MISTAKES as error:
            raise Failure(f"{part.name} was not migrated: {mesh.why(part.name, part.database, error)}") from None
        done = "brought up to date" if changed else "was up to date"
        click.echo(f"{part.name:<8} {done:<20} {part.database.shown()}")
