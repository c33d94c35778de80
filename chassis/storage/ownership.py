"""One process per SQLite file, by a lock of the operating system, which ends with the process however it dies."""

import fcntl
import os
from pathlib import Path


class AlreadyOwned(Exception):
    """Another process, or another store of this one, has the file open."""


class Ownership:
    """The right to use one database file, held through a lock on "<file>.owner"."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, database: Path) -> "Ownership":
        """Lock the file for this process.

        Raises:
            AlreadyOwned: Somebody has it; the message says who.
        """
        path = database.with_name(database.name + ".owner")
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise AlreadyOwned(
                f"{database} is in use by process {owner}{' (this one)' if owner == str(os.getpid()) else ''}. "
                "SQLite serves one service in one process per file: stop the other, give each service its own file, "
                "or use PostgreSQL for several replicas."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Unlock. The lock file stays, because deleting it would let two processes lock two files of one name."""
        os.close(self._descriptor)
