"""What goes wrong between the order service and its peers: requests and answers that are lost, late or slow."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeVar

from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown

T = TypeVar("T")


class Lost(Enum):
    """What is lost of one call."""

    REQUEST = auto()
    ANSWER = auto()


@dataclass(frozen=True)
class Late:
    """The call is given up, and has its effect that many seconds later."""

    seconds: float


@dataclass(frozen=True)
class Slow:
    """The call takes that many seconds before it has its effect."""

    seconds: float


@dataclass(frozen=True)
class Held:
    """The call has its effect at once, and is answered when the event is set."""

    until: asyncio.Event


Fault = Lost | Late | Slow | Held | Refusal


class Faults:
    """Which faults the next calls of each method meet, in order."""

    def __init__(self) -> None:
        self._planned: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def plan(self, method: str, *faults: Fault) -> None:
        self._planned[method].extend(faults)

    def clear(self) -> None:
        self._planned.clear()

    def met(self, method: str) -> bool:
        """Say whether every fault that was planned for the method has come true."""
        return not self._planned[method]

    async def around(
        self, method: str, act: Callable[[], Done[T] | NotDone[Refusal]]
    ) -> Done[T] | NotDone[Refusal] | Unknown:
        """Do the act as far as the next fault of the method allows."""
        await asyncio.sleep(0)  # every call to another service lets others run
        planned = self._planned[method]
        match planned.popleft() if planned else None:
            case Lost.REQUEST:
                return Unknown("request lost")
            case Lost.ANSWER:
                act()
                return Unknown("answer lost")
            case Late(seconds):
                asyncio.get_running_loop().call_later(seconds, act)
                return Unknown("timeout")
            case Slow(seconds):
                await asyncio.sleep(seconds)
                return act()
            case Held(until):
                outcome = act()
                await until.wait()
                return outcome
            case Refusal() as refusal:
                return NotDone(refusal)
            case _:
                return act()
