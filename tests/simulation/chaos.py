"""Everything that goes wrong in one world, drawn from its seed; counted by kind and place, and replayable without some.

Each seed draws its own rates: none, low or high for each kind of fault. Uniform rates hide bugs, because with all
faults about nothing ever gets far.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_RATES = (0.0, 0.03, 0.25)
_KILL_RATES = (0.0, 0.01, 0.04)
_HOLD_RATES = (0.0, 0.0, 0.006)

# Events are few, and refunds fewer: most worlds have none, so the rates are higher. In some, no event ever comes.
_EVENT_RATES = (0.0, 0.05, 0.1)
_LOST_EVENTS = (0.0, 0.0, 0.1, 1.0)
_REFUND_RATES = (0.0, 0.25, 0.4)
_OTHERS_RATES = (0.0, 0.5)
_WRONG_RATES = (0.0, 0.0, 0.0, 0.2)

# In some worlds one answer of SendGrid's after the other is lost: that mails are bounded shows only there.
_DEAF_PLACE = "sendgrid.send"
_DEAF_RATES = (0.0, 0.0, 0.0, 0.6)

# Outages in seconds: a hiccup, one in the middle of a lunch, and one that outlasts Stripe's idempotency keys (24 h).
_OUTAGES = (60.0, 7_200.0, 108_000.0)

# What can happen to a process at one of its points: it dies, or it is held (SIGSTOP, a virtual machine that moves).
KILL = "kill"
HOLD = "hold"
POINT = (KILL, HOLD)

# What can happen to one call of a provider, of another service, and to one commit.
PROVIDER = ("not_sent", "lost_request", "lost_answer", "late", "busy", "error_before", "error_after")
SERVICE = ("not_sent", "lost_request", "lost_answer", "late", "slow")
COMMIT = ("away", "deadlock", "locked", "cut_before", "cut_after", "cut_late")
READ = ("away",)

# What can be wrong with a quote of AvaTax's.
QUOTE = ("other_currency",)

# What can happen to one of Stripe's events, to a refund after it was asked for, and what others do there unasked: a
# customer pays with another card after a decline, somebody at the shop gives money back in the dashboard, or takes it.
EVENT = ("lost_event", "late_event", "twice", "thrice", "forged", "stale", "future", "strange")
REFUND = ("refund_pends", "refund_fails", "refund_returned", "refund_refused")
CUSTOMER = ("pays_anyway",)
SHOP = ("refunds_by_hand",)
CAPTURES = ("captures_by_hand",)

# What the customer's bank does after the money was taken: it asks it back, and decides later.
BANK = ("disputed",)


@dataclass(frozen=True, slots=True)
class Fired:
    """One fault that happened: its number among all draws, its kind and place."""

    draw: int
    kind: str
    place: str


@dataclass(frozen=True, slots=True)
class Outage:
    """A provider that is away: from when on, and for how long."""

    provider: str
    begins: float
    seconds: float

    def covers(self, now: float) -> bool:
        return self.begins <= now < self.begins + self.seconds


class Chaos:
    """Draws faults.

    Args:
        seed: What it draws.
        only: The numbers of the draws that may become faults; None for all.

    Attributes:
        fired: What went wrong, in order.
        hits: How often each kind went wrong at each place.
        over: Set when nothing goes wrong any more.
    """

    def __init__(self, seed: int, only: frozenset[int] | None = None) -> None:
        self.random = random.Random(f"chaos {seed}")
        self.fired: list[Fired] = []
        self.hits: Counter[tuple[str, str]] = Counter()
        self.over = False
        self._only = only
        self._draws = 0
        kinds = sorted({*PROVIDER, *SERVICE, *COMMIT})
        self._rates = {kind: self.random.choice(_RATES) / 4 for kind in kinds}
        self._rates.update({kind: self.random.choice(_EVENT_RATES) for kind in EVENT})
        self._rates["lost_event"] = self.random.choice(_LOST_EVENTS)
        self._rates.update({kind: self.random.choice(_REFUND_RATES) for kind in REFUND})
        self._rates.update({kind: self.random.choice(_OTHERS_RATES) for kind in (*CUSTOMER, *SHOP)})
        self._rates.update({kind: self.random.choice(_WRONG_RATES) for kind in CAPTURES})
        self._rates.update({kind: self.random.choice(_WRONG_RATES) for kind in BANK})
        self._rates.update({kind: self.random.choice(_WRONG_RATES) for kind in QUOTE})
        self._rates[KILL] = self.random.choice(_KILL_RATES)
        self._rates[HOLD] = self.random.choice(_HOLD_RATES)
        deaf = max(self._rates["lost_answer"], self.random.choice(_DEAF_RATES))
        self._rates_of_deaf = {**self._rates, "lost_answer": deaf}
        self.outages = [
            outage
            for number, name in enumerate(("stripe", "avatax", "sendgrid"), start=1)
            if (outage := self._outage(-number, name))
        ]

    def draw(self, kinds: Sequence[str], place: str) -> str:
        """Return the kind of fault that happens here and now; empty for none."""
        self._draws += 1
        dice = self.random.random()
        if self.over:
            return ""
        rates = self._rates_of_deaf if place == _DEAF_PLACE else self._rates
        for kind in kinds:
            dice -= rates[kind]
            if dice < 0.0:
                return self._happens(kind, place)
        return ""

    def away(self, provider: str, now: float) -> bool:
        """Say whether a provider is in an outage."""
        return not self.over and any(each.provider == provider and each.covers(now) for each in self.outages)

    def longest_outage(self, now: float) -> Outage | None:
        """Return the outage that goes on for longest."""
        covering = [each for each in self.outages if each.covers(now) and not self.over]
        return max(covering, key=lambda each: each.begins + each.seconds, default=None)

    def pick(self, *choices: float) -> float:
        """Return one of the numbers."""
        return self.random.choice(choices)

    def _happens(self, kind: str, place: str) -> str:
        if self._only is not None and self._draws not in self._only:
            return ""
        self.fired.append(Fired(self._draws, kind, place))
        self.hits[kind, place] += 1
        return kind

    def _outage(self, number: int, provider: str) -> Outage | None:
        begins, chosen = self.random.uniform(0.0, 20.0), self.random.random()
        seconds = _OUTAGES[self.random.randrange(len(_OUTAGES))]
        happens = chosen < 0.12 and (self._only is None or number in self._only)
        if not happens:
            return None
        self.fired.append(Fired(number, f"outage of {seconds:.0f} s", provider))
        self.hits["outage", provider] += 1
        return Outage(provider, begins, seconds)
