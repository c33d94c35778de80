"""Tables for the storage's own tests: accounts with entries, and request keys."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, MetaData, Table, Text

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
