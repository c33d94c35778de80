"""`ordermesh backup`: copies of the services' SQLite files, made beside a running mesh."""

import sqlite3
from contextlib import closing
from pathlib import Path

import click
from sqlalchemy import make_url

from cli import mesh
from cli.config import environment
from cli.failures import Failure
from cli.output import Line, listed, output_option
from cli.progress import Told, progress

# Who calls comes before whom it calls: the others' copies then know of everything that the order service's speaks of.
# The other way round an order could be paid by a payment that the payment service has never heard of.
_IN_ORDER = ("order", "tax", "payment", "notify", "gateway")

# Pages of 4 KiB that are copied between two looks at the keyboard: some ten milliseconds.
_PAGES = 2_000

# Steps of SQLite's machine between two such looks while a copy is checked; it takes some thousand in a millisecond.
_STEPS = 100_000

_MB = 1_000_000


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@output_option
def command(folder: Path, output: str) -> None:
    """Copy the services' SQLite files to FOLDER, each as it is at one moment; the mesh may run meanwhile.

    PostgreSQL is backed up by its own means: docs/backup.md says how, and what to do after a restore.
    """
    values = environment()
    looked_at: list[str] = []
    copied = False
    with listed(output) as line:
        for part in mesh.loaded(_IN_ORDER, values):
            assert part.database is not None, "each of these parts keeps tables"
            copied |= _back_up(part.name, part.database.url, folder, line)
            looked_at.append(make_url(part.database.url).database or "")
    if not copied:
        raise Failure(
            "Nothing was copied: there are no tables in\n"
            + "\n".join(f"  {file}" for file in looked_at)
            + "\nORDERMESH_DATA_DIR, or ORDER_DATABASE_URL and its like, say where they are; "
            "docs/deploy.md says how to give commands beside services."
        )


def _back_up(name: str, database_url: str, folder: Path, line: Line) -> bool:
    """Copy the tables of one part; return whether there are any.

    Raises:
        Failure: They were not copied.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        raise Failure(f"{name} keeps its tables in PostgreSQL; pg_dump copies them: see docs/backup.md.")
    source, copy = Path(url.database or ""), folder / f"{name}.db"
    if not source.is_file():
        line(f"{name:<8} has no file yet", {"part": name, "file": None, "bytes": 0})
        return False
    if copy.exists():
        raise Failure(f"{copy} is there already. Name another folder: a backup never replaces one.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with progress() as told:
            _copy(name, source, copy, told)
    except (OSError, sqlite3.Error) as error:
        raise Failure(f"{name} was not copied: {error}") from None
    size = copy.stat().st_size
    line(f"{name:<8} {size:>12,} bytes  {copy}", {"part": name, "file": str(copy), "bytes": size})
    return True


def _copy(name: str, source: Path, copy: Path, told: Told) -> None:
    """Copy one file, and check the copy; what is not whole never has the copy's name, and does not stay.

    Raises:
        OSError, sqlite3.Error: It could not be read or written, or is damaged.
    """
    begun = copy.with_name(f"{copy.name}.begun")
    begun.unlink(missing_ok=True)
    begun.touch(mode=0o600)
    try:
        reading = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        with closing(reading), closing(sqlite3.connect(begun)) as written:
            _copy_pages(name, reading, written, told)
            verdict = _verdict(name, written, told)
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"{source} is damaged: {verdict}")
        begun.rename(copy)
    finally:
        begun.unlink(missing_ok=True)


def _copy_pages(name: str, reading: sqlite3.Connection, written: sqlite3.Connection, told: Told) -> None:
    """Copy all pages as they are at one moment. Writers go on meanwhile, in the write-ahead log.

    The transaction is what makes it one moment: between two steps it keeps the reader where it is. Without it SQLite
    would begin again whenever somebody has written.
    """
    (page_bytes,) = reading.execute("PRAGMA page_size").fetchone()

    def tell(_status: int, left: int, pages: int) -> None:
        done, of = (pages - left) * page_bytes, pages * page_bytes
        told(f"copying {name}", done, of, f"{done // _MB:,} of {of // _MB:,} MB")

    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    reading.backup(written, pages=_PAGES, progress=tell)
    reading.execute("ROLLBACK")


def _verdict(name: str, written: sqlite3.Connection, told: Told) -> str:
    """Return what SQLite says of a copy: "ok", or what is wrong with it."""
    told(f"checking {name}")
    # Whoever waits may give up: Ctrl-C counts when Python runs, which it does not within a statement.
    written.set_progress_handler(lambda: 0, _STEPS)
    written.execute("PRAGMA journal_mode = DELETE")
    verdict: str
    (verdict,) = written.execute("PRAGMA integrity_check").fetchone()
    return verdict
