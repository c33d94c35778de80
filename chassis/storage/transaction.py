"""One write transaction on one connection, the same for both databases."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class CommitFailed(Exception):
    """COMMIT itself raised; its cause tells what."""


def run(connection: Connection, body: Callable[[Connection], T]) -> T:
    """Run the body and commit; roll back when the body raises.

    Raises:
        CommitFailed: COMMIT raised. Anything else that is raised was raised before it.
    """
    transaction = connection.begin()
    try:
        result = body(connection)
    except BaseException:
        with suppress(Exception):  # the first error is the one to tell; a dead connection rolls itself back
            transaction.rollback()
        raise
    try:
        transaction.commit()
    except Exception as error:
        with suppress(Exception):
            transaction.rollback()
        raise CommitFailed from error
    return result
