"""The tables of one part, as far as the command has to do with them."""

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from chassis.storage import migrations
from chassis.storage.changes import StorageUnavailable
from chassis.storage.ownership import AlreadyOwned
from chassis.storage.retention import Rule


@dataclass(frozen=True, slots=True)
class Database:
    """Where a part keeps its tables.

    Attributes:
        url: As for chassis.storage; may hold a password.
        scripts: The folder with the part's migrations.
        rules: What need not be kept for ever.
        held: Whether the part opens them when it starts, and a SQLite file then is its alone.
    """

    url: str
    scripts: str
    rules: tuple[Rule, ...] = ()
    held: bool = True

    MISTAKES: ClassVar[tuple[type[Exception], ...]] = (
        OSError,
        SQLAlchemyError,
        AlreadyOwned,
        migrations.MigrationFailed,
        StorageUnavailable,
    )
    """What opening or migrating it can raise that is the operator's to mend."""

    def shown(self) -> str:
        """Return the URL without its password."""
        try:
            return make_url(self.url).render_as_string(hide_password=True)
        except ArgumentError:
            return "a URL that cannot be read"

    def migrate(self, told: migrations.Told = migrations.untold) -> bool:
        """Bring the tables up to date; return False when they were. Tells how far it is.

        Raises:
            MISTAKES: As they say.
        """
        if migrations.is_current(self.url, self.scripts):
            return False
        migrations.run(self.url, self.scripts, told=told)
        return True
