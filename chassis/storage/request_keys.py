"""The table that remembers idempotency keys, the same in every service: what a key stood for, and what came of it.

A row is written in the same change as the object that the request made, so either both exist or neither does.
"""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import BigInteger, Column, Connection, MetaData, Select, String, Table, bindparam, select


def request_keys_table(metadata: MetaData, service: str) -> Table:
    """Return the table `<service>_request_keys`, registered with the service's metadata."""
    return Table(
        f"{service}_request_keys",
        metadata,
        Column("caller", String(200), primary_key=True),
        Column("method", String(100), primary_key=True),
        Column("request_id", String(128), primary_key=True),
        # SHA-256 of the request, in hexadecimal: the same key with another request is refused.
        Column("fingerprint", String(64), nullable=False),
        # The object that the request made: an order id, a refund id.
        Column("subject_id", String(64), nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )


@dataclass(frozen=True, slots=True)
class RequestKey:
    """One use of an idempotency key.

    Attributes:
        caller: Who called; keys of two callers never meet.
        method: The command, "PlaceOrder".
        request_id: The key.
        fingerprint: What the request was, as SHA-256.
    """

    caller: str
    method: str
    request_id: str
    fingerprint: str


def find_request(connection: Connection, table: Table, key: RequestKey) -> tuple[str, str] | None:
    """Return (fingerprint, subject id) of an earlier use of the key, or None."""
    use = {"caller": key.caller, "method": key.method, "request_id": key.request_id}
    row = connection.execute(_lookup(table), use).first()
    return None if row is None else (row.fingerprint, row.subject_id)


@cache
def _lookup(table: Table) -> Select[tuple[str, str]]:
    """Return the statement that finds a key's use: built once, because that takes longer than executing it."""
    same = (table.c[name] == bindparam(name) for name in ("caller", "method", "request_id"))
    return select(table.c.fingerprint, table.c.subject_id).where(*same)
