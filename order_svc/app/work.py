"""Work that goes on when the call that began it is over."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Work(Protocol):
    """Keeps such work alive, and waits for it when the service stops."""

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Begin the work."""
        ...
