"""A shop as an audit sees it: rows of every kind, made to agree, and then changed on purpose."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from cli.audit.audit import Audit, Finding, read_everything
from cli.audit.book import Book
from cli.audit.rows import (
    ChargeRefundRow,
    ChargeRow,
    DisputeRow,
    DocumentRow,
    MailRow,
    NotificationRow,
    OrderRefundRow,
    OrderRow,
    PaymentRow,
    RefundRow,
    Row,
)
from cli.audit.rules import DIFFERENCES
from kernel.errors import Reason, Refusal
from tests.fakes.manual_clock import ManualClock

SomeRow = TypeVar("SomeRow", bound=Row)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GRACE = timedelta(seconds=60)
_LONG_AGO = int((NOW - timedelta(hours=1)).timestamp() * 1000)
JUST_NOW = int((NOW - timedelta(seconds=5)).timestamp() * 1000)

_BATCH = 100


def identity(number: int, digit: str = "0") -> str:
    """Return the id of the thing with that number; the digit tells kinds apart."""
    return str(UUID(f"{digit * 8}-0000-7000-8000-{number:012}"))


def _order(number: int, state: str, document_code: str) -> OrderRow:
    return OrderRow(
        order_id=identity(number),
        state=state,
        currency="USD",
        subtotal=1000,
        tax=85,
        total=1085,
        refunded=0,
        tax_source="AVATAX",
        document_code=document_code,
        provider_payment_id=f"pi_{number}",
        needs_review=False,
        version=4,
        updated=_LONG_AGO,
        captured=1085 if state == "PAID" else 0,
        released=0,
        included=False,
        on_shipment=False,
        difference=0 if document_code else None,
        lines=1000,
        line_taxes=85,
        shipments=0,
    )


def confirmation(number: int, kind: str = "ORDER_CONFIRMATION", digit: str = "2") -> NotificationRow:
    """Return the mail of the order with that number, which was delivered; the digit tells it from others."""
    return NotificationRow(
        identity(number, digit),
        identity(number),
        kind,
        "DELIVERED",
        f"message-{number}",
        is_due=False,
        resent=False,
        created=_LONG_AGO,
        sent=_LONG_AGO,
    )


def paid_order(number: int) -> list[Row]:
    """Return an order over 10.85 USD that went through, with all that belongs to it."""
    order_id, payment_id, charge = identity(number), identity(number, "1"), f"pi_{number}"
    return [
        _order(number, "PAID", document_code=order_id),
        PaymentRow(payment_id, order_id, "SUCCEEDED", "USD", 1085, 1085, 0, charge, 3, _LONG_AGO),
        confirmation(number),
        ChargeRow(charge, payment_id, order_id, "SUCCEEDED", "USD", 1085, 1085, 0, _LONG_AGO),
        DocumentRow(order_id, "SalesInvoice", "Committed", "USD", 1000, 85),
        MailRow(f"message-{number}", "", "delivered", _LONG_AGO),
    ]


def declined_order(number: int) -> list[Row]:
    """Return an order whose card was declined."""
    order_id, payment_id, charge = identity(number), identity(number, "1"), f"pi_{number}"
    return [
        _order(number, "FAILED", document_code=""),
        PaymentRow(payment_id, order_id, "CANCELLED", "USD", 1085, 0, 0, charge, 3, _LONG_AGO),
        ChargeRow(charge, payment_id, order_id, "CANCELLED", "USD", 1085, 0, 0, _LONG_AGO),
    ]


def refunded_order(number: int) -> list[Row]:
    """Return an order of which 5.00 USD were given back, 0.39 USD of it tax."""
    order_id, code = identity(number), f"{identity(number)}-r1"
    rows = [
        row._replace(refunded=500) if isinstance(row, OrderRow | PaymentRow | ChargeRow) else row
        for row in paid_order(number)
    ]
    return [
        *rows,
        OrderRefundRow(order_id, "1", f"re_{number}", "SUCCEEDED", 500, 39, code),
        RefundRow(
            identity(number, "3"), identity(number, "1"), f"re_{number}", "SUCCEEDED", 500, f"{order_id}:refund:1"
        ),
        ChargeRefundRow(f"re_{number}", identity(number, "3"), f"pi_{number}", "SUCCEEDED", "USD", 500, _LONG_AGO),
        DocumentRow(code, "ReturnInvoice", "Committed", "USD", -461, -39),
        confirmation(number, "ORDER_REFUNDED", "4"),
    ]


def held_order(number: int) -> list[Row]:
    """Return an order over 10.85 USD that waits for its shipment with its money held."""
    rows: list[Row] = []
    for row in paid_order(number):
        if isinstance(row, OrderRow):
            rows.append(
                row._replace(state="AUTHORIZED", on_shipment=True, captured=0, document_code="", difference=None)
            )
        elif isinstance(row, PaymentRow | ChargeRow):
            rows.append(row._replace(state="AUTHORIZED", captured=0))
        elif not isinstance(row, DocumentRow):
            rows.append(row)
    return rows


def shipped_order(number: int) -> list[Row]:
    """Return an order of whose hold 8.00 USD were taken with its one shipment, and the rest let go."""
    rows: list[Row] = []
    for row in paid_order(number):
        if isinstance(row, OrderRow):
            rows.append(row._replace(state="SHIPPED", on_shipment=True, captured=800, released=285, shipments=1))
        elif isinstance(row, PaymentRow | ChargeRow):
            rows.append(row._replace(captured=800))
        else:
            rows.append(row)
    return [
        *rows,
        DocumentRow(f"{identity(number)}-r1", "ReturnInvoice", "Committed", "USD", -263, -22),
        confirmation(number, "ORDER_SHIPPED", "5"),
    ]


class Shop:
    """Everything that an audit reads; the port `Sources`, over rows that may be made while they are read.

    Attributes:
        no_feed: Whether SendGrid refuses its list.
    """

    def __init__(self) -> None:
        self.no_feed = False

    def everything(self) -> Iterable[Row]:
        """Return the rows of every kind; each list picks its own."""
        raise NotImplementedError

    async def charges(self) -> AsyncIterator[Sequence[Row]]:
        async for rows in self._of(ChargeRow):
            yield rows

    async def charge_refunds(self) -> AsyncIterator[Sequence[Row]]:
        async for rows in self._of(ChargeRefundRow):
            yield rows

    async def documents(self) -> AsyncIterator[Sequence[Row]]:
        async for rows in self._of(DocumentRow):
            yield rows

    async def mails(self) -> AsyncIterator[Sequence[Row]]:
        if self.no_feed:
            raise Refusal(Reason.PROVIDER_REFUSED, "The account has no activity feed.")
        async for rows in self._of(MailRow):
            yield rows

    async def payments(self) -> AsyncIterator[Sequence[Row]]:
        async for rows in self._of(PaymentRow):
            yield rows
        for kind in (RefundRow, DisputeRow):
            async for rows in self._of(kind):
                yield rows

    async def notifications(self) -> AsyncIterator[Sequence[Row]]:
        async for rows in self._of(NotificationRow):
            yield rows

    async def orders(self) -> AsyncIterator[Sequence[Row]]:
        for kind in (OrderRow, OrderRefundRow):
            async for rows in self._of(kind):
                yield rows

    async def _of(self, kind: type[Row]) -> AsyncIterator[Sequence[Row]]:
        rows = (row for row in self.everything() if isinstance(row, kind))
        while batch := list(islice(rows, _BATCH)):
            yield batch


class AuditWorld(Shop):
    """A small shop whose rows can be changed.

    Attributes:
        rows: All of it.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        super().__init__()
        self.rows = list(rows)

    def everything(self) -> Iterable[Row]:
        return self.rows

    def change(self, kind: type[SomeRow], **fields: object) -> None:
        """Change every row of a kind."""
        self.rows = [row._replace(**fields) if isinstance(row, kind) else row for row in self.rows]  # type: ignore[arg-type]  # each test names fields of that row

    def drop(self, kind: type[Row]) -> None:
        """Remove every row of a kind."""
        self.rows = [row for row in self.rows if not isinstance(row, kind)]


class LargeShop(Shop):
    """A shop with so many orders, every thousandth of which lacks its document, that only a list at a time is there."""

    def __init__(self, orders: int) -> None:
        super().__init__()
        self._orders = orders

    def everything(self) -> Iterable[Row]:
        for number in range(self._orders):
            made = _KINDS[number % len(_KINDS)](number)
            yield from (row for row in made if number % 1000 or not _is_sale(row))


# Mostly paid ones; so many of each kind as keep the lists as long as a shop's are.
_KINDS = (refunded_order, *[paid_order] * 6, shipped_order, held_order, declined_order)


def _is_sale(row: Row) -> bool:
    return isinstance(row, DocumentRow) and row.kind == "SalesInvoice"


@contextmanager
def book_in(folder: Path) -> Iterator[Book]:
    """Open a book there."""
    book = Book(folder / "book.db")
    try:
        yield book
    finally:
        book.close()


async def audit_of(world: Shop, book: Book) -> Audit:
    """Read a world into a book."""
    return await read_everything(world, book, ManualClock(NOW), GRACE, lambda _what, _count: None)


async def differences_of(world: Shop, folder: Path) -> list[Finding]:
    """Return what an audit of the world finds."""
    with book_in(folder) as book:
        return list((await audit_of(world, book)).findings(DIFFERENCES))
