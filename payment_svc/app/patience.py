"""How long and how often one command asks the provider again before it leaves the rest to its caller."""

from typing import Protocol

from kernel.clock import Clock

# Seconds to wait before each round. A lost answer is found by reading at once; what is still under way at the provider
# needs a moment. Whoever calls repeats the whole command, so this is kept short.
PAUSES = (0.0, 0.0, 0.3, 1.0)

# No round begins later than this: about as long as callers wait.
_PATIENCE_SECONDS = 8.0


class Retries(Protocol):
    """How much all runs together may repeat: a provider that is in trouble is not helped by more calls."""

    def begin(self) -> None:
        """Note a first try."""
        ...

    def spend(self) -> bool:
        """Say whether a repetition may be made; a yes uses it up."""
        ...


class Patience:
    """Waits between rounds, as long as it is worth while and others leave something to be spent.

    Args:
        clock: Time.
        retries: What each round but the first takes from.
    """

    def __init__(self, clock: Clock, retries: Retries) -> None:
        self._clock = clock
        self._retries = retries
        self._until = clock.monotonic() + _PATIENCE_SECONDS
        self._begun = False

    async def wait(self, seconds: float) -> bool:
        """Wait, and say whether another round is worth while."""
        if self._clock.monotonic() + seconds > self._until:
            return False
        if not self._begun:
            self._begun = True
            self._retries.begin()
        elif not self._retries.spend():
            return False
        if seconds:
            await self._clock.sleep(seconds)
        return True
