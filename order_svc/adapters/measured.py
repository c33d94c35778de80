"""The port `Measured` on the chassis' metrics."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from chassis.telemetry.lately import Lately, quantile
from chassis.telemetry.metrics import Distribution, Metrics
from kernel.clock import Clock
from order_svc.domain.overview import Queue, StepTimes

# What waits in the tables of orders is counted there.
_COUNTED = "order_tasks"
_WELL = "done"


class MeasuredByMetrics:
    """Reads what this replica counts anyway.

    Args:
        metrics: Where it counts.
        clock: The time.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._lately = Lately(clock, metrics.step_duration.read())

    def queues(self) -> Sequence[Queue]:
        """Return what waits besides tasks, as it was last looked at."""
        ages = self._metrics.outbox_age.read()
        return [
            Queue(name, int(depth), ages.get((name,), 0.0))
            for (name,), depth in sorted(self._metrics.outbox_depth.read().items())
            if name != _COUNTED
        ]

    def steps(self) -> tuple[Sequence[StepTimes], datetime]:
        """Return how long steps took lately, and since when that is."""
        now = self._metrics.step_duration.read()
        before, since = self._lately.before(now)
        names = sorted({step for step, _ in now})
        found = [self._times(name, now, before) for name in names]
        return [each for each in found if each.count], since

    def _times(self, name: str, now: "_Durations", before: "_Durations") -> StepTimes:
        boundaries = self._metrics.step_duration.boundaries
        buckets, failed = [0] * (len(boundaries) + 1), 0
        for labels, one in now.items():
            if labels[0] != name:
                continue
            earlier = before.get(labels)
            grown = [count - (earlier.buckets[place] if earlier else 0) for place, count in enumerate(one.buckets)]
            buckets = [sum(pair) for pair in zip(buckets, grown, strict=True)]
            failed += 0 if labels[1] == _WELL else sum(grown)
        return StepTimes(
            name, sum(buckets), failed, quantile(boundaries, buckets, 0.5), quantile(boundaries, buckets, 0.95)
        )


_Durations = Mapping[tuple[str, ...], Distribution]
