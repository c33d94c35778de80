"""`ordermesh migrate`: brings the tables of the parts up to date, as each service does itself when it starts."""

import click

from cli import mesh
from cli.config import environment
from cli.failures import Failure
from cli.output import Line, listed, output_option
from cli.part import Part
from cli.progress import progress

_PARTS = ("order", "tax", "payment", "notify", "gateway")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(_PARTS))
@output_option
def command(parts: tuple[str, ...], output: str) -> None:
    """Bring the tables of the parts up to date; of all of them when none is named. The gateway's are its API keys."""
    values = environment()
    with listed(output) as line:
        for part in mesh.loaded(parts or _PARTS, values):
            _migrate(part, line)


def _migrate(part: Part, line: Line) -> None:
    """Bring the tables of one part up to date.

    Raises:
        Failure: They are as they were.
    """
    assert part.database is not None, "each of these parts keeps tables"
    try:
        with progress() as told:
            told(f"looking at the tables of {part.name}")
            changed = part.database.migrate(lambda what, done, of: told(f"{part.name}: {what}", done, of))
    except part.database.MISTAKES as error:
        raise Failure(f"{part.name} was not migrated: {mesh.why(part.name, part.database, error)}") from None
    done, where = "brought up to date" if changed else "was up to date", part.database.shown()
    line(f"{part.name:<8} {done:<20} {where}", {"part": part.name, "changed": changed, "database": where})
