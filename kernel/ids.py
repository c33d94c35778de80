"""Identifiers as a port, so that a simulated world can hand out the same ones again."""

import os
import uuid
from typing import Protocol

from kernel.clock import Clock

_TIMESTAMP_BITS = 48
_RANDOM_A_BITS = 12
_RANDOM_B_BITS = 62


class Ids(Protocol):
    """Where new identifiers come from."""

    def new(self) -> str:
        """Return a new identifier: a UUID in its canonical 36 characters, sortable by the time it was made."""
        ...


class Uuid7Ids:
    """UUID version 7 (RFC 9562 §5.7): milliseconds, then randomness, so that new rows lie side by side in an index."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self) -> str:
        """Return a new identifier."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        random = int.from_bytes(os.urandom(10))
        value = milliseconds & ((1 << _TIMESTAMP_BITS) - 1)
        value = value << 4 | 7
        value = value << _RANDOM_A_BITS | (random >> _RANDOM_B_BITS) & ((1 << _RANDOM_A_BITS) - 1)
        value = value << 2 | 0b10
        value = value << _RANDOM_B_BITS | random & ((1 << _RANDOM_B_BITS) - 1)
        return str(uuid.UUID(int=value))
