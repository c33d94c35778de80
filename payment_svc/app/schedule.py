"""When to look again at what is not finished: after as long as it has been open, so twice as late each time."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Schedule:
    """Doubling intervals within bounds.

    Attributes:
        first: The shortest wait, and how old an open attempt must be before it is settled unasked.
        longest: The longest wait.
    """

    first: timedelta
    longest: timedelta

    def after(self, begun: datetime, now: datetime) -> datetime:
        """Return when to look again at what has been open since `begun`."""
        return now + min(max(self.first, now - begun), self.longest)
