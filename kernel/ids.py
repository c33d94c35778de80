"""Identifiers as a port, so that a simulated world can hand out the same ones again."""

import os
import uuid
from datetime import datetime
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
        return _uuid7(self._clock.now(), int.from_bytes(os.urandom(10)))


def least_id_at(moment: datetime) -> str:
    """Return the least identifier that can be made at a moment: a range of time is a range of identifiers."""
    return _uuid7(moment, 0)


def _uuid7(moment: datetime, random: int) -> str:
    value = int(moment.timestamp() * 1000) & ((1 << _TIMESTAMP_BITS) - 1)
    value = value << 4 | 7
    value = value << _RANDOM_A_BITS | (random >> _RANDOM_B_BITS) & ((1 << _RANDOM_A_BITS) - 1)
    value = value << 2 | 0b10
    value = value << _RANDOM_B_BITS | random & ((1 << _RANDOM_B_BITS) - 1)
    return str(uuid.UUID(int=value))
