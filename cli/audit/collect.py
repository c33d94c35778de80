"""Reading everything into the book, in the order that makes the comparison sound."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from cli.audit.book import Book
from cli.audit.rows import Row
from kernel.errors import Reason, Refusal

Batches = AsyncIterator[Sequence[Row]]

Progress = Callable[[str, int], None]
"""Told what is being read, and how many there are so far."""


class Sources(Protocol):
    """Everything that is compared, in batches. All methods raise Refusal when they cannot read on."""

    def charges(self) -> Batches:
        """Return Stripe's PaymentIntents."""
        ...

    def charge_refunds(self) -> Batches:
        """Return Stripe's refunds."""
        ...

    def documents(self) -> Batches:
        """Return AvaTax's documents."""
        ...

    def mails(self) -> Batches:
        """Return SendGrid's mails."""
        ...

    def payments(self) -> Batches:
        """Return our payments, with their refunds and disputes between them."""
        ...

    def notifications(self) -> Batches:
        """Return our mails to customers."""
        ...

    def orders(self) -> Batches:
        """Return our orders, with their refunds between them."""
        ...


async def collect(sources: Sources, book: Book, progress: Progress) -> str:
    """Read everything into the book; return why SendGrid's mails are not among it, or nothing.

    The providers come first and the orders last: whatever a provider did for an order is then met by that order,
    however long reading takes. A confirmation is asked for after its order was paid, so it finds the order paid too.

    Raises:
        Refusal: Something could not be read; then nothing can be proved.
    """
    await _read("payments at Stripe", sources.charges(), book, progress)
    await _read("refunds at Stripe", sources.charge_refunds(), book, progress)
    await _read("documents at AvaTax", sources.documents(), book, progress)
    no_feed = ""
    try:
        await _read("mails at SendGrid", sources.mails(), book, progress)
    except Refusal as refusal:
        if refusal.reason is not Reason.PROVIDER_REFUSED:
            raise
        no_feed = refusal.message  # the feed costs extra; an account without it can be audited too
    await _read("our payments", sources.payments(), book, progress)
    await _read("our mails", sources.notifications(), book, progress)
    await _read("our orders", sources.orders(), book, progress)
    return no_feed


async def _read(what: str, batches: Batches, book: Book, progress: Progress) -> None:
    count = 0
    progress(what, count)
    async for rows in batches:
        book.add(rows)
        count += len(rows)
        progress(what, count)
