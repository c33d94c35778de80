"""`ordermesh retention`: takes away what nobody needs any more, service by service; docs/operations.md says what."""

import asyncio

import click
from sqlalchemy import MetaData

from chassis.storage.changes import CommitUnknown
from chassis.storage.retention import Rule, keep_to
from chassis.storage.store import open_store
from cli import mesh
from cli.config import environment
from cli.database import Database
from cli.failures import Failure
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
def command(services: tuple[str, ...], ages: tuple[tuple[str, int], ...], *, delete: bool) -> None:
    """Take away what is old and finished; of all services when none is named.

    Without --delete it only counts. It never touches what is unfinished, orders, payments, refunds or tax documents.
    """
    values, days = environment(), dict(ages)
    parts = [mesh.load(name, values) for name in services or _SERVICES]
    known = {
        f"{part.name}.{rule.name}": rule for part in parts if part.database is not None for rule in part.database.rules
    }
    for unknown in days.keys() - known.keys():
        raise click.UsageError(f"There is no {unknown}; there are {', '.join(known)}.")
    for part in parts:
        assert part.database is not None, "each of these services keeps tables"
        try:
            asyncio.run(_keep(part.name, part.database, days, delete=delete))
        except CommitUnknown as error:
            raise Failure(f"{part.name}: {error}; starting again goes on from there") from None
        except part.mistakes as error:
            raise Failure(f"{part.name}: {mesh.why(part.name, part.database, error)}") from None


async def _keep(service: str, database: Database, days: dict[str, int], *, delete: bool) -> None:
    store = await open_store(database.url, metadata=MetaData())
    try:
        for rule in database.rules:
            age = days.get(f"{service}.{rule.name}", rule.days)
            taken = await keep_to(store, rule, age, SystemClock(), dry_run=not delete)
            click.echo(_told(service, rule, age, taken.rows, delete=delete))
    finally:
        await store.close()


def _told(service: str, rule: Rule, age: int, rows: int, *, delete: bool) -> str:
    name = f"{service}.{rule.name}"
    what = ("emptied" if rule.clears else "deleted") if delete else "would go"
    return f"{name:<18} {rows:>10} {what}, older than {age} days: {rule.what}"
