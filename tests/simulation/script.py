"""Worlds that follow a script: given faults at given places, customers and clients who do as they are told.

Where a seed draws what goes wrong, a script says it: "kill at stripe.confirm:after#1" kills the process that passes
that point for the first time. Everything that nobody scripted goes well.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from payment_svc.domain.intent import IntentStatus
from tests.fakes.payment_gateway import SLOW_BANK, THREE_D_SECURE, VISA, FakeGateway
from tests.simulation.chaos import Chaos, Fired, Outage
from tests.simulation.errands import ASKS_AGAIN_AFTER, Clerk, Errand, Told
from tests.simulation.run import Result, played
from tests.simulation.shops import Shops
from tests.simulation.stripe_world import Rules, Stripe
from tests.simulation.wares import usual
from tests.simulation.wire import Stub
from tests.simulation.world import World

# Customers of scripts have this long for 3-D Secure: a world of half an hour would only look around more often.
ACTION_SECONDS = 6.0

# How long a client waits for an answer.
_PATIENCE_SECONDS = 30.0

_CUE = re.compile(r"(?P<kind>\w+)@(?P<place>[\w.]+(?::before|:after)?)#(?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class Cue:
    """A fault and its moment.

    Attributes:
        kind: What goes wrong.
        place: Where.
        number: The how manieth time that anything could go wrong there, from 1.
    """

    kind: str
    place: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}@{self.place}#{self.number}"

    @classmethod
    def parsed(cls, text: str) -> "Cue":
        """Return the cue that is written as "kill@stripe.confirm:after#1"; ValueError for any other text."""
        found = _CUE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not of the form kind@place#number")
        return cls(found["kind"], found["place"], int(found["number"]))


@dataclass(frozen=True, slots=True)
class Chance:
    """A moment at which something could have gone wrong.

    Attributes:
        at: The second of it.
        place: Where.
        number: The how manieth time there, from 1.
        kinds: What could have.
    """

    at: float
    place: str
    number: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A way that an order can go, of itself.

    Attributes:
        name: What happens.
        ends: The state in which the order ends.
        passes: Places that tell this way from others.
        card: What is charged.
        place: What else the order is placed with: fields of PlaceOrderRequest.
        errands: What the shop asks of the order, one after the other.
        hold_seconds: How long held money is held.
        postal_code: Where it goes.
        clients: When each client asks first, all with the same key, in seconds.
        customer: After how many seconds the customer finishes 3-D Secure, and whether it succeeds; None: never.
        bank_seconds: How long a slow bank takes.
        faults: What goes wrong on this way anyhow.
        outages: Which providers are away, and when.
        listens: Whether another system of the shop's hears of the order by webhooks.
        aftermath_seconds: How long it takes after the last answer until all is to settle, for work of a later day.
    """

    name: str
    ends: str
    passes: tuple[str, ...] = ()
    card: str = VISA
    place: Mapping[str, Any] = field(default_factory=dict, hash=False)
    errands: tuple[Errand, ...] = ()
    hold_seconds: float = 60.0
    postal_code: str = "75001"
    clients: tuple[float, ...] = (0.0,)
    customer: tuple[float, bool] | None = None
    bank_seconds: float = 2.0
    faults: tuple[Cue, ...] = ()
    outages: tuple[Outage, ...] = ()
    listens: bool = False
    aftermath_seconds: float = 0.0


class Script(Chaos):
    """Faults on cue.

    Args:
        cues: What goes wrong, and when.
        outages: Which providers are away, and when.
        variant: Which of several durations is taken where a fault has several, from 0.

    Attributes:
        chances: What could have gone wrong, in order.
    """

    def __init__(self, cues: Sequence[Cue], outages: Sequence[Outage] = (), variant: int = 0) -> None:
        super().__init__(variant)
        self.fired.clear()
        self.hits.clear()
        self.outages = list(outages)
        self.chances: list[Chance] = []
        self._cues = {(each.place, each.number): each.kind for each in cues}
        self._passed: Counter[str] = Counter()
        self._variant = variant

    def draw(self, kinds: Sequence[str], place: str) -> str:
        """Return the kind of fault that the script has here and now; empty for none."""
        self._passed[place] += 1
        number = self._passed[place]
        self.chances.append(Chance(asyncio.get_running_loop().time(), place, number, tuple(kinds)))
        kind = self._cues.get((place, number), "")
        if kind not in kinds:
            return ""
        self.fired.append(Fired(len(self.chances), kind, place))
        self.hits[kind, place] += 1
        return kind

    def away(self, provider: str, now: float) -> bool:
        """Say whether a provider is in an outage."""
        return any(each.provider == provider and each.covers(now) for each in self.outages)

    def pick(self, *choices: float) -> float:
        """Return one of the numbers, the same in all worlds of a variant."""
        return choices[self._variant % len(choices)]


class ScriptedShops(Shops):
    """Clients of one order who ask until they are answered."""

    def __init__(self, world: World, orders: Stub, path: Path) -> None:
        super().__init__(world, orders)
        self.told = [Told("key-0")]
        self._path = path

    async def shop(self) -> None:
        """Let each client ask, and the shop do its errands."""
        await asyncio.gather(*(self._insist(begins) for begins in self._path.clients), self._errands())

    async def _errands(self) -> None:
        clerk = Clerk(self._world, self._orders, lambda: _PATIENCE_SECONDS)
        if self._path.errands and await clerk.found(self.told[0]):
            for errand in self._path.errands:
                await asyncio.sleep(errand.after)
                await clerk.run(self.told[0], errand)

    async def _insist(self, begins: float) -> None:
        request = usual(self.told[0].key, self._path.card)
        request.MergeFrom(type(request)(**self._path.place))
        request.ship_to.postal_code = self._path.postal_code
        await asyncio.sleep(begins)
        for wait in ASKS_AGAIN_AFTER:
            if await self._ask(self.told[0], request, _PATIENCE_SECONDS):
                return
            await asyncio.sleep(wait)


class ScriptedStripe(Stripe):
    """Stripe with a customer and a bank who act when the path says so."""

    def __init__(self, world: World, rules: Rules, path: Path) -> None:
        super().__init__(world, rules)
        self._path = path

    def last_moment(self, order_id: str) -> None:
        """Let nobody act in the last moment whom the path does not name."""

    def _confirm(self, intent_id: str, payment_method: str) -> Any:  # noqa: ANN401  (as the fake says)
        if payment_method == THREE_D_SECURE and self._path.customer is not None:
            seconds, success = self._path.customer
            self._world.later(seconds, self._finishes, intent_id, success)
        if payment_method == SLOW_BANK:
            self._world.later(self._path.bank_seconds, self._decides, intent_id)
        return FakeGateway._confirm(self, intent_id, payment_method)

    def _hold_seconds(self) -> float:
        return self._path.hold_seconds

    def _finishes(self, intent_id: str, success: bool) -> None:  # noqa: FBT001  (a callback)
        if self.intents[intent_id].status is IntentStatus.ACTION_REQUIRED:
            self.authenticate(intent_id, success=success)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a script.

    Attributes:
        result: What became of its world.
        chances: What could have gone wrong in it, in order.
    """

    result: Result
    chances: tuple[Chance, ...]

    @property
    def happened(self) -> set[Cue]:
        """What went wrong, each with its moment."""
        moments = ((fired.kind, self.chances[fired.draw - 1]) for fired in self.result.fired)
        return {Cue(kind, chance.place, chance.number) for kind, chance in moments}

    @property
    def state(self) -> str:
        """The last state of the order; empty if it never moved."""
        moves = [what.split() for _, what in self.result.log if what.startswith("order ") and " -> " in what]
        return moves[-1][-2] if moves else ""


def play(path: Path, cues: Sequence[Cue] = (), seed: int = 0) -> Played:
    """Return what becomes of an order on its way when the cues go wrong as well.

    Args:
        path: The way.
        cues: What goes wrong besides.
        seed: Of ids, jitter and numbers of replicas; and which of several durations a fault has.
    """
    script = Script((*path.faults, *cues), path.outages, seed)
    world = World(seed, chaos=script)
    world.action_seconds = ACTION_SECONDS
    world.listens = path.listens
    world.aftermath_seconds = path.aftermath_seconds
    result = played(
        world,
        lambda world, orders: ScriptedShops(world, orders, path),
        lambda world, rules: ScriptedStripe(world, rules, path),
    )
    return Played(result, tuple(script.chances))
