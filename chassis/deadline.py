"""Time as a budget that is handed down: who serves a call knows when its caller stops waiting, and calls on with less.

grpc does not do this in Python: a handler's outgoing calls do not inherit its deadline, and a timeout in the service
config fires up to two seconds early. So the absolute moment travels in a context variable and every call gets an
explicit timeout.
"""

import asyncio
from contextvars import ContextVar

from kernel.errors import Reason, Refusal

# Kept back at each hop, so that our own error can still reach a caller that waits exactly as long as it said.
HEADROOM_SECONDS = 0.02

# Below this nothing useful can be finished: refuse at once rather than work for nobody.
SHORTEST_SECONDS = 0.05

# What a caller that set no deadline is given.
DEFAULT_SECONDS = 30.0

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(remaining: float | None) -> None:
    """Start the budget of the call being served.

    Args:
        remaining: Seconds the caller still waits; None, or absurdly large as grpc writes "no deadline", means
        unlimited.

    Raises:
        Refusal: Too little is left to begin.
    """
    seconds = min(remaining, DEFAULT_SECONDS) if remaining is not None else DEFAULT_SECONDS
    if seconds < SHORTEST_SECONDS:
        raise Refusal(Reason.DEADLINE_EXCEEDED, "Too little time is left to do this; call with a longer deadline.")
    _deadline.set(asyncio.get_running_loop().time() + seconds - HEADROOM_SECONDS)


def remaining(at_most: float) -> float:
    """Return the seconds that an outgoing call may take: the budget that is left, and never more than `at_most`."""
    deadline = _deadline.get()
    if deadline is None:
        return at_most
    return max(0.0, min(at_most, deadline - asyncio.get_running_loop().time()))


def detach() -> None:
    """Forget the caller's deadline: what follows goes on whether anyone waits or not."""
    _deadline.set(None)
