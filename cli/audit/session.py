"""An audit from beginning to end; where it may repair, followed by another that says what is left."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Protocol

from cli.audit.audit import Finding, read_everything
from cli.audit.book import Book, opened_book
from cli.audit.collect import Progress, Sources
from cli.audit.repair import Hands, has_plans, plan, repair
from cli.audit.report import Report
from cli.audit.rules import DIFFERENCES, NOTES, REVIEWS
from cli.progress import Told, progress, waiting
from kernel.clock import Clock

# An order hears of its payment within two seconds, and its document and its mail are made within another.
_GOES_ON_SECONDS = 4.0

# Seven lists are read, and then compared.
_STEPS = 8


class Mesh(Sources, Hands, Protocol):
    """What is read, and what mends."""


async def audit_session(
    mesh: Mesh, clock: Clock, grace: timedelta, report: Report, *, most_releases: int | None = None
) -> int:
    """Audit, and once more after repairs; return how many differences are left.

    Args:
        mesh: What is audited.
        clock: Says since when things have settled.
        grace: What changed so lately is still moving.
        report: Is told everything.
        most_releases: How many charges may be given up at most; None repairs nothing at all.

    Raises:
        Refusal: Something could not be read.
    """
    left = await _once(mesh, clock, grace, report, most_releases)
    if left is None:
        left = await _once(mesh, clock, grace, report, None)
    report.close()
    return left or 0


async def _once(mesh: Mesh, clock: Clock, grace: timedelta, report: Report, most_releases: int | None) -> int | None:
    """Audit and tell; return how many differences there are, or None when something was done about them."""
    with opened_book() as book:
        with progress() as told:
            audit = await read_everything(mesh, book, clock, grace, _by_steps(told))
        report.begin()
        planning = None if most_releases is None else book
        found = report.part("differences", _planned(audit.findings(DIFFERENCES), planning))
        reviews = report.part("needs_review", _planned(audit.findings(REVIEWS), planning))
        report.part("notes", audit.findings(NOTES))
        report.end(audit.census(), found, reviews)
        if most_releases is None or not has_plans(book):
            return found
        report.repairing()
        if await repair(book, mesh, report.repaired, most_releases):
            with waiting("letting go on what was repaired"):
                await clock.sleep(_GOES_ON_SECONDS)
        return None


def _by_steps(told: Told) -> Progress:
    """Return what is told of one list after the other: the bar shows which, beside it stands how much of that."""
    steps: list[str] = []

    def tell(what: str, count: int) -> None:
        if what not in steps:
            steps.append(what)
        told(what, len(steps) - 1, _STEPS, f"{count:,}" if count else "")

    return tell


def _planned(findings: Iterable[Finding], book: Book | None) -> Iterator[Finding]:
    """Pass findings on, each with its remedies noted in the book, if there is one."""
    for finding in findings:
        if book is not None:
            plan(book, finding)
        yield finding
