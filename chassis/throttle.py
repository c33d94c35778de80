"""Who calls a service that refuses stops asking it what it would refuse: a call that goes nowhere is cheapest here.

Adaptive throttling on the client's side, as "Site Reliability Engineering" has it in "Handling Overload": of what is
asked, about as large a part is held back as the service refuses of what reaches it. Where that is a third or less, as
with one full replica of three, nothing is.
"""

import math

# The service meets so many times what it takes before anything is held back. The book has 2, where a refusal costs
# nearly nothing; here each costs a twentieth of an order, in two processes.
_ASKED_OF_TAKEN = 1.5

# Of what is asked a tenth goes there whatever happens: somebody has to notice that there is room again.
_MOST_HELD_BACK = 0.9

# How soon what happened counts for a third: some seconds after a service has room again it is asked everything.
_MEMORY_SECONDS = 1.0


class Throttle:
    """Remembers what a service took of late, and holds back what it would refuse."""

    def __init__(self) -> None:
        self._reached = 0.0
        self._refused = 0.0
        self._held_back = 0.0
        self._owed = 0.0
        self._faded_at = -math.inf

    def admits(self, now: float) -> bool:
        """Say whether a call shall be made, and count it.

        Args:
            now: Monotonic seconds.
        """
        self._fade(now)
        share = self._share()
        # Evenly spread instead of by lot.
        self._owed = self._owed + share if share > 0.0 else 0.0
        if self._owed < 1.0:
            self._reached += 1.0
            return True
        self._owed -= 1.0
        self._held_back += 1.0
        return False

    def refused(self) -> None:
        """Hear that the service has refused a call because it has too much to do."""
        # What is heard late is of calls that have faded meanwhile.
        self._refused = min(self._refused + 1.0, self._reached)

    def _share(self) -> float:
        """Return which part of what is asked is held back: no more than the service refuses of what reaches it."""
        asked = self._reached + self._held_back
        taken = self._reached - self._refused
        of_asked = (asked - _ASKED_OF_TAKEN * taken) / (asked + 1.0)
        of_reached = self._refused / self._reached if self._reached > 0.0 else 0.0
        return min(of_asked, of_reached, _MOST_HELD_BACK)

    def _fade(self, now: float) -> None:
        kept = math.exp((self._faded_at - now) / _MEMORY_SECONDS)
        self._reached *= kept
        self._refused *= kept
        self._held_back *= kept
        self._faded_at = now
