"""`ordermesh retention`: takes away what nobody needs any more, service by service; docs/operations.md says what."""

import asyncio

import click
from sqlalchemy import MetaData

from chassis.storage.changes import CommitUnknown
from chassis.storage.retention import WINDOW, Rule, Taken, keep_to
from chassis.storage.store import Store, open_store
from cli import mesh
from cli.config import environment
from cli.database import Database
from cli.failures import Failure
from cli.output import Line, listed, output_option
from cli.progress import progress
from kernel.clock import SystemClock

_SERVICES = ("order", "tax", "payment", "notify")


class _Age(click.ParamType[tuple[str, int]]):
    """SERVICE.RULE=DAYS."""

    name = "service.rule=days"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        rule, _, days = value.partition("=")
        if "." not in rule or not days.isdigit():
            self.fail(f"{value} is not like order.journal=1095", param, ctx)
        return rule, int(days)


@click.command()
@click.argument("services", nargs=-1, type=click.Choice(_SERVICES))
@click.option("--age", "ages", type=_Age(), multiple=True, help="After how many days something goes.")
@click.option("--delete/--dry-run", default=False, help="Take it away, or only count it (as it is without a word).")
@output_option
def command(services: tuple[str, ...], ages: tuple[tuple[str, int], ...], output: str, *, delete: bool) -> None:
    """Take away what is old and finished; of all services when none is named.

    Without --delete it only counts. It never touches what is unfinished, orders, payments, refunds or tax documents.
    """
    values, days = environment(), dict(ages)
    parts = mesh.loaded(services or _SERVICES, values)
    known = {
        f"{part.name}.{rule.name}": rule for part in parts if part.database is not None for rule in part.database.rules
    }
    for unknown in days.keys() - known.keys():
        raise click.UsageError(f"There is no {unknown}; there are {', '.join(known)}.")
    with listed(output) as line:
        for part in parts:
            assert part.database is not None, "each of these services keeps tables"
            try:
                asyncio.run(_keep(part.name, part.database, days, line, delete=delete))
            except CommitUnknown as error:
                raise Failure(f"{part.name}: {error}; starting again goes on from there") from None
            except part.mistakes as error:
                raise Failure(f"{part.name}: {mesh.why(part.name, part.database, error)}") from None


async def _keep(service: str, database: Database, days: dict[str, int], line: Line, *, delete: bool) -> None:
    store = await open_store(database.url, metadata=MetaData())
    try:
        for rule in database.rules:
            name, age = f"{service}.{rule.name}", days.get(f"{service}.{rule.name}", rule.days)
            taken = await _taken(store, name, rule, age, delete=delete)
            done = ("emptied" if rule.clears else "deleted") if delete else "would go"
            line(
                f"{name:<18} {taken.rows:>10} {done}, older than {age} days: {rule.what}",
                {"rule": name, "what": rule.what, "days": age, "rows": taken.rows, "taken_away": delete},
            )
    finally:
        await store.close()


async def _taken(store: Store, name: str, rule: Rule, age: int, *, delete: bool) -> Taken:
    """Take away, or count; shows how many rows were gone through, as nobody knows how many there are."""
    with progress() as told:
        told(name)

        def tell(taken: Taken) -> None:
            told(name, taken.windows, count=f"{taken.windows * WINDOW:,} rows gone through, {taken.rows:,} old")

        return await keep_to(store, rule, age, SystemClock(), dry_run=not delete, told=tell)
