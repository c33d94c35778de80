"""Databases that a service's migrations have brought up to date, as copies of one that was migrated for all of them.

Migrating anew for each test costs a fifth of a second of processor time, a copy a hundredth.
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chassis.storage import migrations
from tests.fakes.postgres_server import PostgresServer


class Migrated:
    """What has been migrated once, and is copied.

    Args:
        folder: Where SQLite files may be kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}
        self._databases: dict[str, str] = {}

    def sqlite(self, scripts: str, file: Path) -> str:
        """Make a SQLite file out of a service's folder of migrations, and return its URL."""
        if scripts not in self._files:
            made = self._folder / f"{len(self._files)}.db"
            _migrate(f"sqlite:///{made}", scripts)
            self._files[scripts] = made
        shutil.copyfile(self._files[scripts], file)
        return f"sqlite:///{file}"

    def postgres(self, scripts: str, server: PostgresServer) -> str:
        """Make a PostgreSQL database out of a service's folder of migrations, and return its URL."""
        if scripts not in self._databases:
            made = server.create_database()
            _migrate(made, scripts)
            self._databases[scripts] = made
        return server.create_database(like=self._databases[scripts])


# Makes a database of its test's own, given its kind ("sqlite" or "postgres") and a service's folder of migrations.
MakeDatabase = Callable[[str, str], str]


def _migrate(url: str, scripts: str) -> None:
    """Migrate in a thread: it takes an event loop of its own, which the tests' thread has already."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(migrations.run, url, scripts).result()
