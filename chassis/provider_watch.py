"""How a provider is doing, from what a service counts about it anyway."""

from dataclasses import dataclass
from datetime import datetime

from chassis.telemetry.lately import Lately
from chassis.telemetry.metrics import Metrics
from kernel.clock import Clock

# What of a call's outcomes says that the provider is there. A call that was given up by us says nothing.
_WELL = frozenset({"answered", "refused"})
_SAYS_NOTHING = frozenset({"cancelled"})


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """How it is doing.

    Attributes:
        provider: Its name, as the metrics write it.
        left_alone: Whether its circuit breaker is open.
        calls: How many calls have ended since.
        failed_calls: How many of them it did not answer well.
        since: From when on they are counted.
    """

    provider: str
    left_alone: bool
    calls: int
    failed_calls: int
    since: datetime


class ProviderWatch:
    """Knows how one provider is doing.

    Args:
        provider: Its name, as the metrics write it.
        metrics: Of the service that calls it: its breaker and its calls are read there.
        clock: The time.
    """

    def __init__(self, provider: str, metrics: Metrics, clock: Clock) -> None:
        self._provider = provider
        self._metrics = metrics
        self._lately = Lately(clock, self._sums())

    def health(self) -> ProviderHealth:
        """Return how it is doing now and was in the last minute."""
        calls, failed = self._sums()
        (calls_before, failed_before), since = self._lately.before((calls, failed))
        left_alone = self._metrics.providers_down.read().get((self._provider,), 0.0) > 0.0
        return ProviderHealth(self._provider, left_alone, calls - calls_before, failed - failed_before, since)

    def _sums(self) -> tuple[int, int]:
        calls = failed = 0
        for (provider, _operation, outcome), count in self._metrics.provider_calls.read().items():
            if provider != self._provider or outcome in _SAYS_NOTHING:
                continue
            calls += int(count)
            failed += 0 if outcome in _WELL else int(count)
        return calls, failed
