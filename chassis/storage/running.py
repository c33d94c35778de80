"""A store for as long as a service runs: when the disk fails under it, the service ends, to be started again."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import MetaData

from chassis.service import MustRestart
from chassis.storage.committer import Observer
from chassis.storage.store import Store, open_store

_logger = logging.getLogger(__name__)

# Callers see NOT_SERVING within a third of that. Whatever waits longer waits for a database that does not come back.
_STOP_SECONDS = 1.0


@asynccontextmanager
async def running_store(url: str, *, metadata: MetaData, observer: Observer | None = None) -> AsyncIterator[Store]:
    """Open a store, and close it when the context ends.

    When the disk fails under a commit, the task that runs the context is cancelled, everything that was started inside
    stops, and MustRestart comes out. A failed fsync is never tried again in the same process: the
    operating system may have dropped the pages and answer the next one with success.

    Args:
        url: As open_store takes it.
        metadata: The service's tables.
        observer: As open_store takes it.

    Raises:
        MustRestart: As said above.
        AlreadyOwned, ValueError: As open_store raises them.
    """
    store = await open_store(url, metadata=metadata, observer=observer)
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    ending = asyncio.create_task(_end_when_failed(store, task), name="until the disk fails")
    try:
        yield store
    except asyncio.CancelledError as cancelled:
        if store.failed.is_set():
            while task.uncancel():
                pass
            raise MustRestart(
                "The disk failed under the database. What is on it is known again once the process has started anew."
            ) from cancelled
        raise
    finally:
        ending.cancel()
        await store.close()


async def _end_when_failed(store: Store, task: "asyncio.Task[object]") -> None:
    await store.failed.wait()
    _logger.critical("store.failed", extra={"then": "the process ends, to be started again"})
    while True:
        task.cancel()
        await asyncio.sleep(_STOP_SECONDS)
