"""When to look again at what is not finished: after as long as it has been open, so twice as late each time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# A bank may send a refund back for thirty days, as Stripe's page on failed refunds says.
_SAFE_AFTER = timedelta(days=30)


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

    def watch(self, begun: datetime, now: datetime) -> datetime | None:
        """Return when to look again at what is over and may still be undone: at twice its age; None once it is safe."""
        age = now - begun
        return None if age > _SAFE_AFTER else now + max(self.longest, age)
