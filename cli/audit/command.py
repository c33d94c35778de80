"""`ordermesh audit`: whether every order, payment, document and mail agrees with what the providers have on record."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import click

from cli.audit.audit import Finding, read_everything
from cli.audit.book import Book, opened_book
from cli.audit.mesh_grpc import AuditedMesh, audited_mesh
from cli.audit.progress import progress_bar
from cli.audit.repair import has_plans, plan, repair
from cli.audit.report import JsonForPrograms, LinesForPeople, Report
from cli.audit.rules import DIFFERENCES, NOTES, REVIEWS
from cli.config import CliConfig, environment
from cli.dial_grpc import run
from cli.failures import Unavailable, of_refusal
from kernel.clock import SystemClock
from kernel.errors import Refusal

_DIFFERENT = 1


@click.command()
@click.option("--repair", "repairs", is_flag=True, help="Settle what can be settled, then audit again.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Leave alone what changed in the last so many seconds: it is still moving.",
)
@click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs.",
)
def command(repairs: bool, grace: float, output: str) -> None:  # noqa: FBT001  (click's way)
    """Compare every order with the records of Stripe, AvaTax and SendGrid.

    Proves for each order that Stripe keeps exactly what the order says, that its document at AvaTax is right and that
    the customer was told; finds charges without an order, forgotten holds, and mails without a payment. The providers
    are read through the services (ORDER_ADDR, TAX_ADDR, PAYMENT_ADDR, NOTIFY_ADDR), which have the keys.

    Exit codes: 0 all agrees; 1 there are differences; 3 something could not be read, so nothing is proved.
    """
    report: Report = JsonForPrograms(repairs=repairs) if output == "json" else LinesForPeople()
    config = CliConfig.from_env(environment())
    try:
        differences = run(_audit(config, timedelta(seconds=grace), report, repairs=repairs))
    except Refusal as refusal:
        raise Unavailable(of_refusal(refusal).message) from None
    if differences:
        raise SystemExit(_DIFFERENT)


async def _audit(config: CliConfig, grace: timedelta, report: Report, *, repairs: bool) -> int:
    """Audit, and once more after repairs; return how many differences are left."""
    async with audited_mesh(config) as mesh:
        left = await _once(mesh, grace, report, repairs=repairs)
        if left is None:
            left = await _once(mesh, grace, report, repairs=False)
        report.close()
    return left or 0


async def _once(mesh: AuditedMesh, grace: timedelta, report: Report, *, repairs: bool) -> int | None:
    """Audit and tell; return how many differences there are, or None when something was done about them."""
    with opened_book() as book:
        with progress_bar() as progress:
            audit = await read_everything(mesh, book, SystemClock(), grace, progress)
        report.begin()
        planning = book if repairs else None
        found = report.part("differences", _planned(audit.findings(DIFFERENCES), planning))
        reviews = report.part("needs_review", _planned(audit.findings(REVIEWS), planning))
        report.part("notes", audit.findings(NOTES))
        report.end(audit.census(), found, reviews)
        if not repairs or not has_plans(book):
            return found
        report.repairing()
        await repair(book, mesh, report.repaired)
        return None


def _planned(findings: Iterable[Finding], book: Book | None) -> Iterator[Finding]:
    """Pass findings on, each with its remedies noted in the book, if there is one."""
    for finding in findings:
        if book is not None:
            plan(book, finding)
        yield finding
