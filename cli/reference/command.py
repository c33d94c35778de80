"""`ordermesh reference`: writes the pages of docs/ that are made from the code."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from cli import access_page, settings
from cli.failures import Failure
from cli.reference import commands_page, drawings, metrics_page, rest_page, rpc_page
from gateway import contract

PAGES: Mapping[str, Callable[[], str]] = {
    "access.md": lambda: access_page.page(contract.load()),
    "commands.md": commands_page.page,
    "configuration.md": settings.page,
    "metrics.md": metrics_page.page,
    "rest.md": lambda: rest_page.page(contract.load()),
    "rpc.md": lambda: rpc_page.page(contract.load()),
}
"""Pages that nobody writes, by their names in docs/."""

DRAWN = ("concepts.md",)
"""Pages in docs/ that are written by hand around what is drawn."""


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default="docs")
def command(folder: Path) -> None:
    """Write the pages of FOLDER (docs) that are made from the code, and draw anew what others show of it."""
    for name, text in written(folder).items():
        try:
            changed = not (folder / name).exists() or (folder / name).read_text() != text
            if changed:
                (folder / name).write_text(text)
        except OSError as error:
            raise Failure(f"{folder / name} cannot be written: {error.strerror}.") from None
        click.echo(f"{name:<18} {'written' if changed else 'is as the code has it'}")


def written(folder: Path) -> dict[str, str]:
    """Return each page as the code has it, by its name."""
    made = {name: make() for name, make in PAGES.items()}
    return made | {name: drawings.drawn_into((folder / name).read_text()) for name in DRAWN}
