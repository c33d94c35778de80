"""One audit: everything is read, laid side by side, and questioned rule by rule."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cli.audit.book import Book
from cli.audit.collect import Progress, Sources, collect
from cli.audit.rule import Rule
from cli.audit.rules import PREPARATION
from cli.audit.rules_mails import MOST_MAILS
from kernel.clock import Clock
from kernel.money import Money

# SendGrid keeps its feed for thirty days; a day less, for mails at its very end.
_FEED_SPAN = timedelta(days=29)

_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer to one rule's question.

    Attributes:
        rule: The rule.
        row: The facts.
    """

    rule: Rule
    row: sqlite3.Row

    def fact(self, name: str) -> str:
        """Return an id among the facts; empty when it is not."""
        return (self.row[name] or "") if name in self.row.keys() else ""  # noqa: SIM118  (a Row is no mapping)

    @property
    def subject(self) -> str:
        """What it is about: the order, or the charge of none."""
        return self.fact("order_id") or self.fact("provider_payment_id")

    @property
    def what(self) -> str:
        """What is wrong, in a sentence without its end."""
        return self.rule.tell(self.row)


@dataclass(frozen=True, slots=True)
class Turnover:
    """What Stripe took, gave back and holds for us in one currency."""

    captured: Money
    refunded: Money
    held: Money


@dataclass(frozen=True, slots=True)
class TaxTurnover:
    """What AvaTax recorded for us in one currency, of sales and of what was given back of them; both positive."""

    recorded: Money
    returned: Money


@dataclass(frozen=True, slots=True)
class Census:
    """How much was compared.

    Attributes:
        orders: Of ours.
        moving: Orders among them that are still moving, and so were not judged.
        turnovers: One for each currency.
        taxes: One for each currency.
        documents: Committed sales at AvaTax, for orders of ours.
        returns: Committed returns at AvaTax, for orders of ours.
        mails: At SendGrid, for orders of ours.
        mails_waiting: Of ours, for SendGrid to take them.
        foreign_charges: PaymentIntents that carry none of our ids.
        foreign_documents: Documents whose code is no order of ours.
        foreign_mails: Mails at SendGrid that we know nothing of.
        no_feed: Why SendGrid's mails were not compared; empty when they were.
    """

    orders: int
    moving: int
    turnovers: tuple[Turnover, ...]
    taxes: tuple[TaxTurnover, ...]
    documents: int
    returns: int
    mails: int
    mails_waiting: int
    foreign_charges: int
    foreign_documents: int
    foreign_mails: int
    no_feed: str


class Audit:
    """What was read, to be questioned."""

    def __init__(self, book: Book, no_feed: str) -> None:
        self.book = book
        self._no_feed = no_feed

    def findings(self, rules: Sequence[Rule]) -> Iterator[Finding]:
        """Yield what breaks the rules, one after the other."""
        for rule in rules:
            for row in self.book.ask(rule.question):
                yield Finding(rule, row)

    def census(self) -> Census:
        """Count what was compared."""
        turnovers = self.book.ask(
            "SELECT currency, sum(captured) AS captured, sum(refunded) AS refunded, "
            "sum(iif(state = 'AUTHORIZED', amount, 0)) AS held FROM charges "
            "WHERE booked OR (order_id <> '' AND payment_id <> '') GROUP BY currency ORDER BY currency"
        )
        taxes = self.book.ask(
            "SELECT currency, sum(max(tax, 0)) AS recorded, sum(max(-tax, 0)) AS returned FROM ("  # noqa: S608  (the words below)
            f"SELECT currency, tax FROM sales WHERE {_OUR_SALE} UNION ALL "
            "SELECT d.currency, d.tax FROM returns d JOIN orders USING (order_id)) GROUP BY currency ORDER BY currency"
        )
        return Census(
            orders=self._count("orders"),
            moving=self._count("orders WHERE moving"),
            turnovers=tuple(
                Turnover(*(Money(row["currency"], row[name]) for name in ("captured", "refunded", "held")))
                for row in turnovers
            ),
            taxes=tuple(
                TaxTurnover(Money(row["currency"], row["recorded"]), Money(row["currency"], row["returned"]))
                for row in taxes
            ),
            documents=self._count(f"sales WHERE {_OUR_SALE}"),
            returns=self._count("returns JOIN orders USING (order_id)"),
            mails=self._count(f"mails WHERE {_OUR_MAIL}"),
            mails_waiting=self._count("notifications WHERE state = 'ACCEPTED' AND is_due"),
            foreign_charges=self._count("charges WHERE NOT booked AND (order_id = '' OR payment_id = '')"),
            foreign_documents=self._count(f"sales WHERE NOT {_OUR_SALE}"),
            foreign_mails=self._count(f"mails WHERE NOT {_OUR_MAIL}"),
            no_feed=self._no_feed,
        )

    def _count(self, of: str) -> int:
        (row,) = self.book.ask(f"SELECT count(*) AS found FROM {of}")  # noqa: S608  (the words above)
        found: int = row["found"]
        return found


_OUR_SALE = "EXISTS (SELECT 1 FROM orders WHERE order_id = code)"

_OUR_MAIL = (
    "EXISTS (SELECT 1 FROM notifications n WHERE n.provider_message_id = mails.provider_message_id"
    " OR n.notification_id = mails.notification_id)"
)


async def read_everything(sources: Sources, book: Book, clock: Clock, grace: timedelta, progress: Progress) -> Audit:
    """Read everything into an empty book; what comes back can be questioned.

    Args:
        sources: What there is.
        book: Where it is laid side by side.
        clock: Says since when things have settled.
        grace: What changed so lately before the audit began is still moving.
        progress: Told how far it is.

    Raises:
        Refusal: Something could not be read.
    """
    began = clock.now()
    no_feed = await collect(sources, book, progress)
    (mails,) = book.ask("SELECT count(*) AS found FROM mails")
    if not no_feed and not mails["found"]:
        no_feed = "SendGrid's activity feed is empty"  # as it stays where SendGrid keeps mails in the EU
    progress("comparing", 0)
    facts = {
        "horizon": int((began - grace).timestamp() * 1000),
        "feed_from": _NEVER if no_feed else int((began - _FEED_SPAN).timestamp() * 1000),
        "most_mails": MOST_MAILS,
    }
    book.prepare(PREPARATION, facts)
    return Audit(book, no_feed)
