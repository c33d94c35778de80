"""What all of one simulated world shares: time, luck, the log of what happened, and what never should have."""

import asyncio
import hashlib
import heapq
import random
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.fakes.virtual_time import BEGIN
from tests.simulation.chaos import HOLD, KILL, POINT, Chaos
from tests.simulation.process import Crash, Process, outside

# How many looks a periodic worker takes during an outage of hours. Each sleep may last longer than asked for, as on a
# machine that is busy or suspended, and thirty hours of looking every second would take a minute of ours.
_LOOKS_IN_AN_OUTAGE = 16

# Once all faults are over, what still waits for a customer's half hour is polled so rarely.
_PATIENT_SLEEP_SECONDS = 300.0

# Around whatever is going to happen by itself (a customer acts, a lost request arrives) every sleep is as long as asked
# for: that is when things meet.
_BEFORE_SECONDS = 30.0
_AFTER_SECONDS = 20.0

# The product's own half hour, and one that ends while everything still goes wrong.
_ACTION_SECONDS = (20.0, 1_800.0)

# In some worlds all customers come too late, and soon: their money goes back while everything still goes wrong.
_LATE_WORLDS = 0.3
_LATE_ACTION_SECONDS = 5.0

_LISTENING_WORLDS = 0.25

# For how long everything still goes wrong when all clients have left: what is done behind their backs is refunds, and
# mails that are sent again.
_AFTERMATH_SECONDS = (0.0, 0.0, 60.0, 180.0)

# Held for longer than a lease of 30 s, or for less.
_PAUSES = (2.0, 35.0, 100.0)


class World:
    """One world.

    Args:
        seed: What it draws everything from.
        only: The draws that may become faults; None for all.
        chaos: What goes wrong; None for what the seed draws.

    Attributes:
        chaos: What goes wrong.
        luck: Everything else that is drawn: ids, jitter, waits.
        log: What happened, when, in order.
        violations: What must never happen and did.
        broken: Set once something has.
        kills: How many processes died.
        healed_at: Since when nothing goes wrong any more; None before.
        customers_are_late: Whether each of them acts only when the order has given up waiting.
        aftermath_seconds: How long faults go on when all clients have left.
        action_seconds: How long customers may take for 3-D Secure.
        listens: Whether another system of the shop's hears of its orders by webhooks.
        late_until: When the last of what is under way by itself arrives: calls that were given up, events, banks.
        faults_until: The same, of what was under way when faults ended.
    """

    def __init__(self, seed: int, only: frozenset[int] | None = None, chaos: Chaos | None = None) -> None:
        self.seed = seed
        self.chaos = chaos or Chaos(seed, only)
        self.luck = random.Random(f"luck {seed}")
        self.log: list[tuple[float, str]] = []
        self.violations: list[str] = []
        self.broken = asyncio.Event()
        self.kills = 0
        self.healed_at: float | None = None
        self.late_until = 0.0
        self.faults_until = 0.0
        self._comes: list[float] = []
        self._busy_until = 0.0
        self.aftermath_seconds = self.luck.choice(_AFTERMATH_SECONDS)
        self.customers_are_late = self.luck.random() < _LATE_WORLDS
        # Drawn apart, so that nothing else depends on it.
        self.listens = random.Random(f"listens {seed}").random() < _LISTENING_WORLDS
        self.action_seconds = _LATE_ACTION_SECONDS if self.customers_are_late else self.luck.choice(_ACTION_SECONDS)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def now_ms(self) -> int:
        return int(BEGIN.timestamp() * 1000) + int(self.now() * 1000)

    def note(self, what: str) -> None:
        """Write something into the log."""
        self.log.append((self.now(), what))

    def violated(self, what: str) -> None:
        """Write down that a promise was broken."""
        self.note(f"VIOLATION: {what}")
        self.violations.append(what)
        self.broken.set()

    def digest(self) -> str:
        """Return what tells this run from one in which anything happened otherwise."""
        lines = "\n".join(f"{at:.6f} {what}" for at, what in self.log)
        return hashlib.sha256(lines.encode()).hexdigest()[:16]

    def later(self, seconds: float, act: Callable[..., object], *arguments: object) -> None:
        """Have something happen later, whoever lives then."""
        loop = asyncio.get_running_loop()
        self.late_until = max(self.late_until, loop.time() + seconds)
        heapq.heappush(self._comes, loop.time() + seconds)
        loop.call_later(seconds, act, *arguments, context=outside())

    async def point(self, process: Process, place: str) -> None:
        """Pass a point at which a process can be held, or die."""
        await process.gate()
        fault = self.chaos.draw(POINT, place)
        if fault == HOLD:
            seconds = self.chaos.pick(*_PAUSES)
            self.note(f"{process.name} is held for {seconds:.0f} s at {place}")
            process.paused_until = self.now() + seconds
            await process.gate()
        if fault == KILL:
            self.note(f"{process.name} is killed at {place}")
            self.kills += 1
            process.kill()
            raise Crash(place)

    def stretched(self, seconds: float) -> float:
        """Return how long a sleep really takes."""
        now = self.now()
        longest = self._longest_sleep(now)
        if longest <= seconds:
            return seconds
        while self._comes and self._comes[0] <= now:
            self._busy_until = heapq.heappop(self._comes) + _AFTER_SECONDS
        if now < self._busy_until:
            return seconds
        quiet = self._comes[0] - _BEFORE_SECONDS - now if self._comes else longest
        return max(seconds, min(longest, quiet))

    def _longest_sleep(self, now: float) -> float:
        if self.healed_at is not None:
            return _PATIENT_SLEEP_SECONDS if now > self.healed_at + _AFTER_SECONDS else 0.0
        outage = self.chaos.longest_outage(now)
        if outage is None:
            return 0.0
        return min(outage.seconds / _LOOKS_IN_AN_OUTAGE, outage.begins + outage.seconds - now)


class SimClock:
    """The kernel's Clock for the code of one process, or of the world."""

    def __init__(self, world: World, process: Process | None = None) -> None:
        self._world = world
        self._process = process

    def now(self) -> datetime:
        now = BEGIN + timedelta(seconds=self._world.now())
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        return self._world.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(self._world.stretched(seconds))
        if self._process is not None:
            await self._process.gate()

    async def sleep_until(self, moment: float) -> None:
        """Sleep until that moment of the loop's time."""
        if (seconds := moment - self._world.now()) > 0.0:
            await asyncio.sleep(seconds)
        if self._process is not None:
            await self._process.gate()


class SeededIds:
    """UUIDs of version 7 from the world's luck."""

    def __init__(self, world: World) -> None:
        self._world = world

    def new(self) -> str:
        a, b = self._world.luck.getrandbits(12), self._world.luck.getrandbits(60)
        return str(uuid.UUID(hex=f"{self._world.now_ms():012x}7{a:03x}8{b:015x}"))
