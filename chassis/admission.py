"""How much a process takes on: what it cannot do in good time is refused at once, while refusing is still cheap.

A process that takes everything spends its time on calls that nobody waits for any more. What says that there is too
much is how long the event loop takes to come round: everything that is ready to run waits that long. A slow provider,
by contrast, keeps calls waiting and the loop free, and is no reason to refuse.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chassis.limits import Limits
from kernel.errors import Reason, Refusal

# How long the shortest round of the loop within an interval may be where calls enter the mesh. A refusal takes four
# rounds from the core to the wire, and has to come within 50 ms.
OUTER_SECONDS = 0.01

# The same behind the first service: what an order has begun goes before orders that have not.
INNER_SECONDS = 0.1

# How often the limit is thought over: some rounds, and the time in which what was refused makes itself felt.
_INTERVAL_SECONDS = 0.1

# What is in flight is cut by a tenth when it was too much, and grows by one and a fiftieth when it was not: TCP's
# additive increase and multiplicative decrease, which share out fairly what several callers want.
_CUT = 0.9
_GROWTH = 1.02

# Enough to keep the processor and the database busy at any speed of theirs, and for a burst that means nothing; also on
# a machine that does something else as well, where every round is slow.
LEAST = 64

# When a refused call may be tried again; clients spread it themselves.
RETRY_SECONDS = 1.0

# What stands in the trailers of an answer that a busy service gives. It has done the work: to refuse it would have been
# too late, and to let its callers begin as much again as well.
BUSY_KEY = "ordermesh-busy"

# Which part of the answers of an interval has to say so. An order makes four calls, two of them to payment_svc: when
# that is busy it is half of them, and with one of two replicas a quarter.
_BUSY_SHARE = 1 / 3

# A bucket has some 200 bytes. Whoever was not heard of for longest has a full one, and loses nothing with it.
_MOST_PRINCIPALS = 10_000


class Admission:
    """Counts what is in flight and refuses what is too much.

    Args:
        limits: At most so much.
        target_seconds: How long a round of the loop may take, at its shortest.
        tell: Told the limit at once, and whenever it changes.
        least: So many are let in whatever happens, unless `limits` has less.
    """

    def __init__(
        self,
        limits: Limits,
        target_seconds: float = INNER_SECONDS,
        tell: Callable[[float], object] | None = None,
        *,
        least: int = LEAST,
    ) -> None:
        self._most = limits.in_flight
        self._least = min(least, limits.in_flight)
        self._target_seconds = target_seconds
        self._tell = tell
        self._rates = Rates(limits.calls_per_second) if limits.calls_per_second else None
        self._limit = float(limits.in_flight)
        self._in_flight = 0
        self._probing = False
        self._interval_ends = 0.0
        self._shortest = math.inf
        self._busy = False
        self._pushed_back = False
        self._answers = 0
        self._busy_answers = 0
        if tell is not None:
            tell(self._limit)

    @property
    def limit(self) -> int:
        """Return how many calls may be in flight now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Return how many calls are."""
        return self._in_flight

    @property
    def busy(self) -> bool:
        """Say whether there is as much to do as is done in good time: whoever calls had better let in less."""
        return self._busy

    @contextmanager
    def admitted(self, principal: str = "") -> Iterator[None]:
        """Hold a place for the length of a call.

        Args:
            principal: Whose rate it counts towards; nobody's when empty.

        Raises:
            Refusal: There is none, or the principal has used up what is theirs.
        """
        self.enter(principal)
        try:
            yield
        finally:
            self.leave()

    def enter(self, principal: str = "") -> None:
        """Take a place; give it back with `leave`.

        Raises:
            Refusal: As `admitted` says.
        """
        now = asyncio.get_running_loop().time()
        if self._rates is not None and principal:
            self._rates.take(principal, now)
        self._probe(now)
        if self._in_flight >= self._limit:
            raise overloaded()
        self._in_flight += 1

    def full(self) -> bool:
        """Say whether the next call would be refused, whoever makes it."""
        self._probe(asyncio.get_running_loop().time())
        return self._in_flight >= self._limit

    def leave(self) -> None:
        """Give a place back."""
        self._in_flight -= 1

    def push_back(self) -> None:
        """Hear that a service behind this one has too much: what is let in here ends up there."""
        self._pushed_back = True

    def answered(self, *, busy: bool) -> None:
        """Hear that a service behind this one has answered, and whether it is busy."""
        self._answers += 1
        self._busy_answers += busy

    def _probe(self, now: float) -> None:
        if not self._probing:
            self._probing = True
            asyncio.get_running_loop().call_soon(self._came_round, now)

    def _came_round(self, asked_at: float) -> None:
        self._probing = False
        now = asyncio.get_running_loop().time()
        self.observe(now - asked_at, now)

    def observe(self, round_seconds: float, now: float) -> None:
        """Take in how long a round of the loop took, and think the limit over once an interval.

        The shortest round counts: a burst passes by itself, a queue that never empties does not (CoDel's rule).
        """
        if now > self._interval_ends + _INTERVAL_SECONDS:
            # It was quiet meanwhile: what comes first after that is a burst, and one round of it says nothing.
            self._interval_ends = now + _INTERVAL_SECONDS
            self._shortest = math.inf
            self._busy = False
            self._forget_others()
        self._shortest = min(self._shortest, round_seconds)
        if now < self._interval_ends:
            return
        before = self._limit
        self._busy = self._shortest > OUTER_SECONDS
        if self._shortest > self._target_seconds or self._pushed_back or self._busy_behind():
            self._limit = max(self._least, min(self._limit, self._in_flight + 1) * _CUT)
        else:
            self._limit = min(self._most, self._limit * _GROWTH + 1)
        if self._tell is not None and self._limit != before:
            self._tell(self._limit)
        self._interval_ends = now + _INTERVAL_SECONDS
        self._shortest = math.inf
        self._forget_others()

    def _busy_behind(self) -> bool:
        return self._busy_answers > _BUSY_SHARE * self._answers

    def _forget_others(self) -> None:
        self._pushed_back = False
        self._answers = self._busy_answers = 0


def overloaded() -> Refusal:
    """Return what a caller hears for whom there is no room."""
    return Refusal(Reason.OVERLOADED, "The service has all the work it can do in good time.", retry_after=RETRY_SECONDS)


class Rates:
    """A bucket of tokens for each principal, which fills with time.

    Args:
        per_second: How fast it fills; it holds what comes in two seconds, and one call at least.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, 2 * per_second)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, principal: str, now: float) -> None:
        """Take a token.

        Args:
            principal: Whose.
            now: Monotonic seconds.

        Raises:
            Refusal: There is none; it says when there will be.
        """
        tokens, since = self._buckets.pop(principal, (self._most, now))
        tokens = min(self._most, tokens + (now - since) * self._per_second)
        refused = tokens < 1.0
        self._buckets[principal] = (tokens if refused else tokens - 1.0, now)
        if len(self._buckets) > _MOST_PRINCIPALS:
            self._buckets.popitem(last=False)
        if refused:
            raise Refusal(
                Reason.OVERLOADED,
                f"You may make {self._per_second:g} calls a second on average.",
                metadata={"callsPerSecond": f"{self._per_second:g}"},
                retry_after=(1.0 - tokens) / self._per_second,
            )
