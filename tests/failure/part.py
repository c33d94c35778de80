"""`python -m tests.failure.part NAME …`: one part of the mesh, as `ordermesh serve NAME …` runs it, to be tormented.

It ends when its standard input does, and so never outlives the test that started it. On standard input it is told that
the disk under its SQLite file is full, or has room again.
"""

import os
import sqlite3
import sys
import threading
from contextlib import suppress

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import ConnectionPoolEntry

from cli.__main__ import cli
from tests.failure.words import FULL

_MOST_PAGES = 1_000_000_000

_connections: list[sqlite3.Connection] = []


@event.listens_for(Engine, "connect")
def _remember(connection: object, _entry: ConnectionPoolEntry) -> None:
    if isinstance(connection, sqlite3.Connection):
        _connections.append(connection)


def _limit_pages(*, full: bool) -> None:
    """Let the files grow no further than they are, or as far as they like: SQLite then answers as on a full disk."""
    for connection in _connections:
        with suppress(sqlite3.Error):  # it is closed, or its disk is broken
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages if full else _MOST_PAGES}").fetchone()


def _heed_input() -> None:
    while word := os.read(sys.stdin.fileno(), 1):
        _limit_pages(full=word == FULL)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_heed_input, daemon=True).start()
    cli(["serve", *sys.argv[1:]], prog_name="ordermesh")
