"""Tables for the storage's own tests, accounts with entries and request keys, and changes to them."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, MetaData, Table, Text, select

from chassis.storage.changes import Absent, Change, Expect, Insert, Update
from chassis.storage.store import Store

METADATA = MetaData()

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("email", Text, unique=True),
    Column("closed", Boolean, nullable=False),
    Column("lease_until", BigInteger),
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)

REQUEST_KEYS = Table(
    "request_keys",
    METADATA,
    Column("caller", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
)


def account(key: str, *, balance: int = 0, email: str | None = None) -> Insert:
    """Return the insert of an account at version 1."""
    return Insert(ACCOUNTS, {"id": key, "version": 1, "balance": balance, "email": email, "closed": False})


def opened(key: str, *, balance: int = 0) -> Change:
    """Return a change that opens an account unless there is one."""
    return Change((Absent(ACCOUNTS, {"id": key}),), (account(key, balance=balance),))


def moved(key: str, version: int, balance: int) -> Change:
    """Return a change that takes an account from this version to the next, with a new balance."""
    update = Update(ACCOUNTS, {"id": key}, {"version": version + 1, "balance": balance})
    return Change((Expect(ACCOUNTS, key, version),), (update,))


def entry(key: str, line: int, amount: int = 1) -> Insert:
    """Return the insert of one entry of an account."""
    return Insert(ENTRIES, {"account_id": key, "line": line, "amount": amount})


async def balances(store: Store) -> dict[str, int]:
    """Return the balance of every account."""
    query = select(ACCOUNTS.c.id, ACCOUNTS.c.balance)
    return await store.read(lambda connection: {row.id: row.balance for row in connection.execute(query)})
