"""What a call to the outside world can end in: it was done, it was not done, or nobody knows.

UNKNOWN is never failure. A timeout, a cut connection, a 5xx: the effect may have happened or may still happen. It is
settled by reading, or by repeating a call that is safe to repeat.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Done(Generic[T_co]):
    """The effect happened; this is what the other side answered."""

    value: T_co


@dataclass(frozen=True, slots=True)
class NotDone(Generic[E_co]):
    """The effect did not happen and will not: the other side refused, for a stated reason."""

    reason: E_co


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether the effect happened is not known.

    Attributes:
        cause: What was seen, in words for the journal and the log: "timeout", "connection cut", "http 503".
        retry_after: Seconds that the other side asked to wait, when it did.
    """

    cause: str
    retry_after: float | None = None
