"""How long calls may take, and when a failed one is made again."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

# A wait that a service asks for is stretched by up to this share, so that not all who were told it come back at once.
_SPREAD = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What holds for every call of a client, where the call itself says nothing else.

    Attributes:
        read_seconds: How long a call without side effects may take, with all its retries. The services give a provider
            at most 10 seconds.
        command_seconds: The same for a call that changes something. PlaceOrder waits up to 10 seconds for its order to
            settle, and answers PENDING then: with less than that its caller would not hear so.
        timeouts: Seconds by RPC, in place of those: {"PlaceOrder": 30, "OrderService/GetOrder": 2}. A stream has no
            deadline unless it is named here.
        attempts: How often one call is sent at most. 1 turns retries off.
        first_pause: Seconds before the second attempt; twice as long before each that follows, less a random part.
        longest_pause: The most that it grows to. A service may ask for more.
        watch_patience: Seconds that a watch goes on trying while no service can be reached.
    """

    read_seconds: float = 10.0
    command_seconds: float = 20.0
    timeouts: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 5
    first_pause: float = 0.1
    longest_pause: float = 2.0
    watch_patience: float = 60.0

    def pause(self, failures: int, retry_after: float | None) -> float:
        """Return the seconds to wait after so many failures in a row: at least what the service asks for."""
        # Beyond 2**16 the longest pause is reached in any case, and a float would overflow in the end.
        step = min(self.first_pause * 2.0 ** min(failures - 1, 16), self.longest_pause)
        chance = random.random()  # noqa: S311  (spreads callers over time, hides nothing)
        pause: float = step * (0.5 + 0.5 * chance)
        return max(pause, retry_after * (1 + _SPREAD * chance)) if retry_after is not None else pause
