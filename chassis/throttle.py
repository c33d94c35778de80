"""Who calls a service that refuses stops asking it what it would refuse: a call that goes nowhere is cheapest here.

Adaptive throttling on the client's side, as "Site Reliability Engineering" has it in "Handling Overload": of what is
asked, so much is refused at once that the service meets a little more than it takes. With one replica of many that
refuses nothing is held back.
"""

import math

# The service meets so many times what it takes. Some must be refused there, to notice when it takes more. The book has
# 2, where a refusal costs nearly nothing; here each costs a twentieth of an order, in two processes.
_ASKED_OF_TAKEN = 1.5

# How soon what happened counts for a third. A service that has room again is asked twice as much every two seconds.
_MEMORY_SECONDS = 1.0


class Throttle:
    """Remembers what a service took of late, and holds back what it would refuse."""

    def __init__(self) -> None:
        self._asked = 0.0
        self._refused = 0.0
        self._held_back = 0.0
        self._faded_at = -math.inf

    def admits(self, now: float) -> bool:
        """Say whether a call shall be made, and count it.

        Args:
            now: Monotonic seconds.
        """
        self._fade(now)
        self._asked += 1.0
        taken = self._asked - self._refused
        share = (self._asked - _ASKED_OF_TAKEN * taken) / (self._asked + 1.0)
        self._held_back = self._held_back + share if share > 0.0 else 0.0
        if self._held_back < 1.0:
            return True
        # Evenly spread instead of by lot.
        self._held_back -= 1.0
        self._refused += 1.0
        return False

    def refused(self) -> None:
        """Hear that the service has refused a call because it has too much to do."""
        self._refused += 1.0

    def _fade(self, now: float) -> None:
        kept = math.exp((self._faded_at - now) / _MEMORY_SECONDS)
        self._asked *= kept
        self._refused *= kept
        self._faded_at = now
