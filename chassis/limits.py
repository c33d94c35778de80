"""How much a process is told to take on; chassis/admission.py keeps to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process takes on at most."""

    in_flight: int = 256
    """ORDERMESH_MAX_IN_FLIGHT: how many calls a process works on at a time, at most; fewer while it is slow."""

    calls_per_second: float = 0.0
    """ORDERMESH_CALLS_PER_SECOND: how many calls each process takes of one principal per second, on average; twice as
    many at once. 0 for any number. What the mesh's own parts ask of one another is not bounded."""
