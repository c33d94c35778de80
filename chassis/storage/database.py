"""The port between group commit and a database, and the words in which a database reports failure to it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect

from chassis.storage.changes import StorageUnavailable
from chassis.storage.lookup import Lookup

T = TypeVar("T")


class Transient(StorageUnavailable):
    """Nothing was written, and the same transaction may well succeed at once: a deadlock, a connection that is gone."""


class Locked(StorageUnavailable):
    """Nothing was written: another transaction kept a row locked for too long."""


class Database(Protocol):
    """One database with one writer.

    Attributes:
        failed: Set when storage can no longer be trusted (a failed fsync): the process must exit and start again.
    """

    failed: asyncio.Event

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        ...

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run the body in a write transaction and commit it. Never called twice at once.

        Raises:
            Conflict, StatementRefused, Transient, Locked, StorageUnavailable, CommitUnknown: As their names say.
            Exception: What the body raised; the transaction was rolled back.
        """
        ...

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run the body on a read-only connection, with one snapshot for all its statements.

        Raises:
            StatementRefused, Transient, StorageUnavailable: As their names say.
            Exception: What the body raised.
        """
        ...

    async def find(self, lookup: Lookup, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401  (see Lookup.one)
        """Return the only row that the lookup finds, the cheapest way there is: one statement is a snapshot by itself.

        Raises:
            StatementRefused, Transient, StorageUnavailable: As their names say.
            KeyError, ValueError: As Lookup.one raises them.
        """
        ...

    async def close(self) -> None:
        """Close all connections. No write is in flight."""
        ...
