"""A process that commits account after account and prints the key of each one whose commit returned.

Run as `python -m tests.fakes.committing_process URL`, to be killed.
"""

import asyncio
import itertools
import sys

from chassis.storage.changes import Change, Insert
from chassis.storage.store import open_store
from tests.fakes.storage_tables import ACCOUNTS, METADATA


async def main(url: str) -> None:
    """Commit from eight tasks until killed."""
    store = await open_store(url, metadata=METADATA)
    await store.transact(METADATA.create_all)
    numbers = itertools.count()

    async def worker() -> None:
        while True:
            key = str(next(numbers))
            row = {"id": key, "version": 1, "balance": 0, "email": None, "closed": False}
            await store.commit(Change((), (Insert(ACCOUNTS, row),)))
            sys.stdout.write(f"{key}\n")
            sys.stdout.flush()

    await asyncio.gather(*(worker() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
