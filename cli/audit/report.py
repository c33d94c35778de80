"""What an audit says: line by line as it finds it, for a person or as one JSON document for a program."""

from collections.abc import Iterable
from typing import Any, Protocol

import click
import orjson

from cli.audit.audit import Census, Finding
from cli.audit.rule import Remedy

Json = dict[str, Any]


class Report(Protocol):
    """Is told everything in turn: differences, orders to look at, notes, the census; then what was repaired."""

    def begin(self) -> None:
        """Begin an audit; another one when something was repaired."""
        ...

    def part(self, name: str, findings: Iterable[Finding]) -> int:
        """Tell findings of one kind; return how many there were."""
        ...

    def end(self, census: Census, differences: int, reviews: int) -> None:
        """Tell what was compared and how it came out."""
        ...

    def repairing(self) -> None:
        """Begin to tell what is done about it."""
        ...

    def repaired(self, remedy: Remedy, target: str, refused: str) -> None:
        """Tell one thing that was done; or why it was not."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


_HEADINGS = {"differences": "Differences", "needs_review": "Orders to look at", "notes": "Worth knowing"}
_NAME_WIDTH = 19
_COLOURS = {"differences": "red", "needs_review": "yellow", "notes": "cyan"}


class LinesForPeople:
    """Writes a line for each finding, whatever its length, and a table at the end."""

    def begin(self) -> None:
        """Begin an audit."""

    def part(self, name: str, findings: Iterable[Finding]) -> int:
        """Tell findings of one kind under their heading."""
        count = 0
        for count, finding in enumerate(findings, 1):
            if count == 1:
                click.secho(_HEADINGS[name], bold=True)
            mends = f" `--repair` does: {_remedies(finding)}." if finding.rule.remedies else ""
            subject = click.style(finding.subject, fg=_COLOURS[name])
            click.echo(f"{subject}  {finding.what}. {finding.rule.advice}{mends}")
        return count

    def end(self, census: Census, differences: int, reviews: int) -> None:
        """Draw the table, and say how it came out."""
        for name, value in _figures(census, differences, reviews):
            click.echo(f"{name:<{_NAME_WIDTH}}{value}")
        if differences:
            click.secho(f"{differences} difference{'s' if differences > 1 else ''}.", fg="red", bold=True)
        elif census.moving:
            click.secho(
                f"No differences; {_orders(census.moving)} still moving, to be judged later.", fg="green", bold=True
            )
        else:
            click.secho("Clean: every order, payment, document and mail agrees.", fg="green", bold=True)

    def repairing(self) -> None:
        """Begin to tell what is done about it."""
        click.secho("\nRepairing", bold=True)

    def repaired(self, remedy: Remedy, target: str, refused: str) -> None:
        """Tell one thing that was done."""
        click.echo(f"{target}  {remedy.value}: {f'not done. {refused}' if refused else 'done'}")

    def close(self) -> None:
        """Finish."""


def _orders(count: int) -> str:
    return "1 order is" if count == 1 else f"{count} orders are"


def _remedies(finding: Finding) -> str:
    return ", ".join(remedy.value for remedy in finding.rule.remedies)


def _figures(census: Census, differences: int, reviews: int) -> Iterable[tuple[str, str]]:
    yield "orders", f"{census.orders}"
    for turnover in census.turnovers:
        kept = turnover.captured - turnover.refunded
        held = f", {turnover.held} held" if turnover.held.minor_units else ""
        yield "money at Stripe", f"{turnover.captured} taken, {turnover.refunded} given back, {kept} kept{held}"
    for tax in census.taxes:
        due = tax.recorded - tax.returned
        yield "tax at AvaTax", f"{tax.recorded} recorded, {tax.returned} taken back, {due} due"
    returns = f", {census.returns} returns" if census.returns else ""
    yield "tax documents", f"{census.documents}{returns}"
    yield "mails at SendGrid", f"not compared: {census.no_feed}" if census.no_feed else f"{census.mails}"
    if census.mails_waiting:
        yield "mails waiting", f"{census.mails_waiting}"
    foreign = {
        "payments": census.foreign_charges,
        "documents": census.foreign_documents,
        "mails": census.foreign_mails,
    }
    if any(foreign.values()):
        told = ", ".join(f"{count} {name}" for name, count in foreign.items() if count)
        yield "of other systems", f"{told}; not judged"
    yield "still moving", f"{census.moving}"
    yield "needing review", f"{reviews}"
    yield "differences", f"{differences}"


class JsonForPrograms:
    """Writes one JSON document bit by bit: an audit, or `before`, `repairs` and `after`.

    Args:
        repairs: Whether there may be a second audit.
    """

    def __init__(self, *, repairs: bool) -> None:
        self._repairs = repairs
        self._audits = 0
        self._comma = ""

    def begin(self) -> None:
        """Begin an audit's object."""
        if self._repairs:
            click.echo('{"before": ' if self._audits == 0 else '], "after": ', nl=False)
        self._audits += 1
        click.echo("{", nl=False)

    def part(self, name: str, findings: Iterable[Finding]) -> int:
        """Write findings of one kind as a list."""
        count = 0
        click.echo(f'"{name}": [', nl=False)
        for count, finding in enumerate(findings, 1):
            click.echo(f"{',' if count > 1 else ''}\n  {_text(_document(finding))}", nl=False)
        click.echo("],")
        return count

    def end(self, census: Census, differences: int, reviews: int) -> None:
        """Write the summary."""
        summary = {
            "orders": census.orders,
            "still_moving": census.moving,
            "needing_review": reviews,
            "differences": differences,
            "money": [
                {
                    "currency_code": turnover.captured.currency_code,
                    "captured": turnover.captured.minor_units,
                    "refunded": turnover.refunded.minor_units,
                    "kept": (turnover.captured - turnover.refunded).minor_units,
                    "held": turnover.held.minor_units,
                }
                for turnover in census.turnovers
            ],
            "tax": [
                {
                    "currency_code": tax.recorded.currency_code,
                    "recorded": tax.recorded.minor_units,
                    "returned": tax.returned.minor_units,
                    "due": (tax.recorded - tax.returned).minor_units,
                }
                for tax in census.taxes
            ],
            "documents": census.documents,
            "returns": census.returns,
            "mails": census.mails,
            "mails_waiting": census.mails_waiting,
            "mails_not_compared": census.no_feed,
            "foreign": {
                "payments": census.foreign_charges,
                "documents": census.foreign_documents,
                "mails": census.foreign_mails,
            },
        }
        click.echo(f'"summary": {_text(summary)}}}')

    def repairing(self) -> None:
        """Begin the list of what is done about it."""
        click.echo(', "repairs": [', nl=False)

    def repaired(self, remedy: Remedy, target: str, refused: str) -> None:
        """Write one thing that was done."""
        done: Json = {"remedy": remedy.name.lower(), "target": target, "done": not refused, "refused": refused}
        click.echo(f"{self._comma}\n  {_text(done)}", nl=False)
        self._comma = ","

    def close(self) -> None:
        """End the document; also after an audit that found nothing to repair."""
        if self._repairs:
            click.echo("}" if self._audits > 1 else ', "repairs": [], "after": null}')


def _document(finding: Finding) -> Json:
    return {
        "kind": finding.rule.kind,
        "order_id": finding.fact("order_id"),
        "payment_id": finding.fact("payment_id"),
        "provider_payment_id": finding.fact("provider_payment_id"),
        "what": finding.what,
        "advice": finding.rule.advice,
        "remedies": [remedy.name.lower() for remedy in finding.rule.remedies],
    }


def _text(document: object) -> str:
    return orjson.dumps(document).decode()
