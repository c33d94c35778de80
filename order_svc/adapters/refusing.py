"""The storage's troubles in our own words."""

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.storage.changes import CommitUnknown, StorageUnavailable
from kernel.errors import Reason, Refusal
from order_svc.app.ports import InDoubt


@contextmanager
def refusing() -> Iterator[None]:
    """Turn the storage's troubles into our own words.

    Raises:
        Refusal: The database is away; nothing was written.
        InDoubt: A commit may or may not have happened.
    """
    try:
        yield
    except StorageUnavailable as error:
        raise Refusal(
            Reason.UNAVAILABLE, "The order database cannot be reached; try again.", retry_after=1.0
        ) from error
    except CommitUnknown as error:
        raise InDoubt from error
