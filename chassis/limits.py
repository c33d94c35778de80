"""How much a process is told to take on; chassis/admission.py keeps to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process takes on at most.

    Attributes:
        in_flight: Calls at a time, however fast the loop comes round.
        calls_per_second: Of one principal, on average; twice as many at once. 0 leaves it open.
    """

    in_flight: int = 256
    calls_per_second: float = 0.0
