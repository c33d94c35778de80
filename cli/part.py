"""What the command needs to know of one part of the mesh to run it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.service import Running
from chassis.telemetry.setup import Telemetry

if TYPE_CHECKING:
    from cli.database import Database


@dataclass(frozen=True, slots=True)
class Part:
    """One part, set up and not started.

    Attributes:
        name: What `ordermesh serve` calls it.
        address: Where it will listen: host:port.
        variable: The environment variable that says so.
        run: Returns the part as a context that runs it and yields the address that was bound.
        database: Its tables; None where it has none.
        provider_url: The outside world that it calls; empty where it calls none.
    """

    name: str
    address: str
    variable: str
    run: Callable[[Telemetry], Running]
    database: "Database | None" = None
    provider_url: str = ""

    @property
    def held(self) -> "Database | None":
        """Return the tables that it opens when it starts; None where it opens none."""
        return self.database if self.database is not None and self.database.held else None

    @property
    def mistakes(self) -> tuple[type[Exception], ...]:
        """Return what starting it can raise that is the operator's to mend; anything else is a defect."""
        return (OSError,) if self.held is None else self.held.MISTAKES
