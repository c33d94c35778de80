"""`ordermesh backup`: copies of the services' SQLite files, made beside a running mesh."""

import sqlite3
from contextlib import closing
from pathlib import Path

import click
from sqlalchemy import make_url

from cli import mesh
from cli.config import environment
from cli.failures import Failure

# Who calls comes before whom it calls: the others' copies then know of everything that the order service's speaks of.
# The other way round an order could be paid by a payment that the payment service has never heard of.
_IN_ORDER = ("order", "tax", "payment", "notify", "gateway")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Copy the services' SQLite files to FOLDER, each as it is at one moment; the mesh may run meanwhile.

    PostgreSQL is backed up by its own means: docs/backup.md says how, and what to do after a restore.
    """
    values = environment()
    for part in (mesh.load(name, values) for name in _IN_ORDER):
        assert part.database is not None, "each of these parts keeps tables"
        url = make_url(part.database.url)
        if url.get_backend_name() != "sqlite":
            raise Failure(f"{part.name} keeps its tables in PostgreSQL; pg_dump copies them: see docs/backup.md.")
        source, copy = Path(url.database or ""), folder / f"{part.name}.db"
        if not source.is_file():
            click.echo(f"{part.name:<8} has no file yet")
            continue
        if copy.exists():
            raise Failure(f"{copy} is there already. Name another folder: a backup never replaces one.")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copy(source, copy)
        except (OSError, sqlite3.Error) as error:
            raise Failure(f"{part.name} was not copied: {error}") from None
        click.echo(f"{part.name:<8} {copy.stat().st_size:>12,} bytes  {copy}")


def _copy(source: Path, copy: Path) -> None:
    """Copy one file, and check the copy; what is not whole never has the copy's name.

    Raises:
        OSError, sqlite3.Error: It could not be read or written, or is damaged.
    """
    begun = copy.with_name(f"{copy.name}.begun")
    begun.unlink(missing_ok=True)
    begun.touch(mode=0o600)
    reading = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
    with closing(reading), closing(sqlite3.connect(begun)) as written:
        # All pages in one step: the copy is of one moment. Writers go on meanwhile, in the write-ahead log.
        reading.backup(written)
        written.execute("PRAGMA journal_mode = DELETE")
        (verdict,) = written.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"{source} is damaged: {verdict}")
    begun.rename(copy)
