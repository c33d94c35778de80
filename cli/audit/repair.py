"""Settling what the rules can settle: each remedy once for each thing that it is for."""

import hashlib
from collections.abc import Callable
from typing import Protocol

from cli.audit.audit import Finding
from cli.audit.book import Book
from cli.audit.rows import RemedyRow
from cli.audit.rule import Remedy
from kernel.errors import Refusal

_TARGETS = {
    Remedy.CONFIRM_PAYMENT: "payment_id",
    Remedy.RELEASE_CHARGE: "provider_payment_id",
    Remedy.RETRY_ORDER: "order_id",
    Remedy.VOID_TAX: "order_id",
}

# What is over when it is answered.
_DONE_AT_ONCE = frozenset({Remedy.RELEASE_CHARGE, Remedy.VOID_TAX})

_TOO_MANY = (
    "{} charges to give up at once look like a database that was restored from an old backup, or like another shop on "
    "the same Stripe account; make sure that they are orphans, then raise --most-releases."
)

Told = Callable[[Remedy, str, str], None]
"""Told of each remedy: what it was, what it was applied to, and why it was not done; empty when it was."""


class Hands(Protocol):
    """The commands that mend. The same key never does anything twice; all raise Refusal."""

    async def confirm_payment(self, payment_id: str, key: str) -> None:
        """Have a payment read afresh from Stripe."""
        ...

    async def release_charge(self, provider_payment_id: str, key: str) -> None:
        """Have a charge given up that is no payment of ours."""
        ...

    async def retry_order(self, order_id: str, key: str) -> None:
        """Have an order taken up again."""
        ...

    async def void_tax(self, order_id: str, key: str) -> None:
        """Have the document of an order voided that was never paid."""
        ...


def plan(book: Book, finding: Finding) -> None:
    """Note in the book what is to be done about a finding.

    The key of each command follows from the difference, its amounts and versions among it: to repair the same
    difference again does nothing twice, and once something has changed it is another difference.
    """
    difference = repr((finding.rule.kind, *finding.row))
    for rank, remedy in enumerate(Remedy):
        target = finding.fact(_TARGETS[remedy])
        if remedy in finding.rule.remedies and target:
            key = hashlib.sha256(f"{remedy.name} {difference}".encode()).hexdigest()[:32]
            book.add([RemedyRow(rank, remedy.name, target, f"audit-{key}")])


def has_plans(book: Book) -> bool:
    """Say whether anything was noted."""
    return any(True for _ in book.ask("SELECT 1 FROM remedies LIMIT 1"))


async def repair(book: Book, hands: Hands, told: Told, most_releases: int) -> bool:
    """Do what was noted: payments first, then charges, the orders that follow from both, and papers last.

    Returns whether work goes on behind the answers: orders that were taken up, or that hear of their payments.

    Args:
        book: In which it was noted.
        hands: What does it.
        told: Is told of each.
        most_releases: Where more charges than this would be given up, none is: so many orphans at once are hardly any.
    """
    (releases,) = book.ask(f"SELECT count(*) AS found FROM remedies WHERE remedy = '{Remedy.RELEASE_CHARGE.name}'")  # noqa: S608  (our own word)
    goes_on = False
    for row in book.ask("SELECT * FROM remedies ORDER BY rank, target"):
        remedy = Remedy[row["remedy"]]
        if remedy is Remedy.RELEASE_CHARGE and releases["found"] > most_releases:
            told(remedy, row["target"], _TOO_MANY.format(releases["found"]))
            continue
        try:
            await _apply(hands, remedy, row["target"], row["request_id"])
        except Refusal as refusal:
            told(remedy, row["target"], refusal.message)
        else:
            told(remedy, row["target"], "")
            goes_on = goes_on or remedy not in _DONE_AT_ONCE
    return goes_on


async def _apply(hands: Hands, remedy: Remedy, target: str, key: str) -> None:
    match remedy:
        case Remedy.CONFIRM_PAYMENT:
            await hands.confirm_payment(target, key)
        case Remedy.RELEASE_CHARGE:
            await hands.release_charge(target, key)
        case Remedy.RETRY_ORDER:
            await hands.retry_order(target, key)
        case Remedy.VOID_TAX:
            await hands.void_tax(target, key)
