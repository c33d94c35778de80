"""What the notify service told, in lists."""

from collections.abc import Iterator
from contextlib import contextmanager

from kernel.outcome import Done, NotDone, Unknown
from notify_svc.app.ports import Backlog, Postponed, Refused
from notify_svc.domain.notification import Notification


class FakeTold:
    """An attempt while it is under way."""

    def __init__(self, telling: "FakeTelling") -> None:
        self._telling = telling

    def outcome(self, outcome: Done[str] | NotDone[Refused | Postponed] | Unknown) -> None:
        self._telling.outcomes.append(outcome)


class FakeTelling:
    """Keeps what it is told.

    Attributes:
        attempts: The notifications at the beginning of each attempt.
        outcomes: How they ended.
        alerts: The notifications that were parked.
        backlogs: What waited, each time it was noted.
    """

    def __init__(self) -> None:
        self.attempts: list[Notification] = []
        self.outcomes: list[Done[str] | NotDone[Refused | Postponed] | Unknown] = []
        self.alerts: list[Notification] = []
        self.backlogs: list[Backlog] = []

    @contextmanager
    def attempt(self, notification: Notification) -> Iterator[FakeTold]:
        self.attempts.append(notification)
        yield FakeTold(self)

    def parked(self, notification: Notification) -> None:
        self.alerts.append(notification)

    def waiting(self, backlog: Backlog) -> None:
        self.backlogs.append(backlog)
