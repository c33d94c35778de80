"""A temporary file in which everything is laid side by side: SQLite, so that memory does not grow with the shop."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

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
    RemedyRow,
    Row,
)

# The key of each table. What a list shows twice, because it moved while it was read, replaces itself.
_KEYS: Mapping[type[Row], tuple[str, str]] = {
    OrderRow: ("orders", "order_id"),
    OrderRefundRow: ("order_refunds", "order_id, number"),
    PaymentRow: ("payments", "payment_id"),
    RefundRow: ("refunds", "refund_id"),
    DisputeRow: ("disputes", "provider_dispute_id"),
    NotificationRow: ("notifications", "notification_id"),
    ChargeRow: ("charges", "provider_payment_id"),
    ChargeRefundRow: ("charge_refunds", "provider_refund_id"),
    DocumentRow: ("documents", "code, kind, status"),
    MailRow: ("mails", "provider_message_id"),
    RemedyRow: ("remedies", "rank, target"),
}

_INSERTS = {
    kind: f"INSERT OR REPLACE INTO {table} ({', '.join(kind._fields)}) VALUES ({', '.join('?' * len(kind._fields))})"  # noqa: S608  (our own names)
    for kind, (table, _) in _KEYS.items()
}

_INDICES = (
    "CREATE INDEX payments_of_charge ON payments (provider_payment_id)",
    "CREATE INDEX payments_of_order ON payments (order_id)",
    "CREATE INDEX refunds_at_provider ON refunds (provider_refund_id)",
    "CREATE INDEX charge_refunds_of_charge ON charge_refunds (provider_payment_id)",
    "CREATE INDEX order_refunds_at_provider ON order_refunds (provider_refund_id)",
    "CREATE INDEX order_refunds_on_paper ON order_refunds (document_code, state)",
    "CREATE INDEX notifications_of_order ON notifications (order_id, kind)",
    "CREATE INDEX notifications_of_mail ON notifications (provider_message_id)",
)

# For SQLite's own pages. The file may have any size; this and one batch of rows is what memory holds of it.
_CACHE_KIB = 16 * 1024


class Book:
    """The tables, one for each kind of row."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # Nobody needs this file after a crash.
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}", "temp_store = FILE"):
            self._connection.execute(f"PRAGMA {setting}")
        for kind, (table, key) in _KEYS.items():
            columns = ", ".join(kind._fields)
            self._connection.execute(f"CREATE TABLE {table} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID")
        self._connection.execute("BEGIN")
        self._facts: Mapping[str, int] = {}

    def add(self, rows: Sequence[Row]) -> None:
        """Take in rows of one kind."""
        if rows:
            self._connection.executemany(_INSERTS[type(rows[0])], rows)

    def prepare(self, statements: Iterable[str], facts: Mapping[str, int]) -> None:
        """Work out what depends on everything; to be called once all rows are in.

        Args:
            statements: SQL that does.
            facts: What statements and questions refer to by name.
        """
        self._facts = facts
        for statement in (*_INDICES, *statements):
            self._connection.execute(statement, facts)
        self._connection.execute("COMMIT")

    def ask(self, question: str) -> Iterator[sqlite3.Row]:
        """Yield the rows that answer a question, one after the other."""
        yield from self._connection.execute(question, self._facts)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextmanager
def opened_book() -> Iterator[Book]:
    """Open a book in the folder for temporary files, and remove it afterwards."""
    with TemporaryDirectory(prefix="ordermesh-audit-") as folder:
        book = Book(Path(folder) / "book.db")
        try:
            yield book
        finally:
            book.close()
