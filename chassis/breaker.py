"""A circuit breaker: after failures in a row the other side is left alone for a while, then asked again carefully."""

from collections.abc import Callable

from kernel.clock import Clock


def _to_nobody(is_closed: bool) -> None:  # noqa: FBT001  (the only thing there is to tell)
    """Tell nobody."""


class Breaker:
    """Whether to call something that may be down.

    While it is closed every call goes through. Enough failures in a row open it: no call goes through until its pause
    is over, and then a single one, the probe. A probe that succeeds closes it; one that fails, or that nobody reports
    on because it was cancelled, only uses up another pause.

    Args:
        clock: For the pauses.
        failures: So many in a row open it.
        first_seconds: The first pause; each failing probe doubles it.
        longest_seconds: Where the doubling ends.
        tell: Is told at the start and after each change whether it is closed.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        failures: int,
        first_seconds: float,
        longest_seconds: float,
        tell: Callable[[bool], None] = _to_nobody,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._most_failures = failures
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._failures = 0
        self._pause_seconds = first_seconds
        self._is_closed = True
        self._probing = False
        self._probe_at = 0.0
        tell(True)  # noqa: FBT003  (see _to_nobody)

    @property
    def is_closed(self) -> bool:
        """Whether calls go through freely."""
        return self._is_closed

    def wait_seconds(self) -> float:
        """Return how long until a call may go through; 0.0 when one may now."""
        return 0.0 if self._is_closed else max(0.0, self._probe_at - self._clock.monotonic())

    def admit(self) -> bool:
        """Say whether this call may go through; while the breaker is open a yes makes the call the probe."""
        if self._is_closed:
            return True
        if self.wait_seconds() > 0.0:
            return False
        # The next probe's time is set now, so that one that is never reported on blocks nothing for longer.
        self._probe_at = self._clock.monotonic() + self._pause_seconds
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Report that the other side answered: it is there."""
        self._failures = 0
        self._pause_seconds = self._first_seconds
        self._probing = False
        if not self._is_closed:
            self._is_closed = True
            self._tell(True)  # noqa: FBT003  (see _to_nobody)

    def failed(self, pause_seconds: float | None = None) -> None:
        """Report that the other side was not there.

        Args:
            pause_seconds: How long it asked to be left alone, when it did; the caller bounds what it heeds.
        """
        self._failures += 1
        if self._is_closed:
            if self._failures < self._most_failures:
                return
            self._is_closed = False
            self._tell(False)  # noqa: FBT003  (see _to_nobody)
        elif self._probing:
            self._probing = False
            self._pause_seconds = min(2 * self._pause_seconds, self._longest_seconds)
        else:
            return  # began before the breaker opened, and tells nothing new
        self._probe_at = self._clock.monotonic() + max(self._pause_seconds, pause_seconds or 0.0)
