"""What was measured lately, and not since the process began."""

from datetime import timedelta

import pytest

from chassis.provider_watch import ProviderWatch
from chassis.telemetry.lately import Lately, quantile
from chassis.telemetry.metrics import Metrics
from order_svc.adapters.measured import MeasuredByMetrics
from order_svc.domain.overview import Queue
from tests.fakes.manual_clock import ManualClock


def test_the_first_look_tells_all_there_was_and_later_ones_the_last_minute() -> None:
    clock = ManualClock()
    began = clock.now()
    lately = Lately(clock, 0)
    clock.advance(3600)

    assert lately.before(100) == (0, began)
    found = []
    for seconds in range(5, 200, 5):
        clock.advance(5)
        found.append(lately.before(100 + seconds))

    assert found[-1] == (235, clock.now() - timedelta(seconds=60))


@pytest.mark.parametrize(
    ("buckets", "share", "seconds"),
    [
        ([0, 0, 0], 0.5, 0.0),
        ([10, 0, 0], 0.5, 0.5),
        ([0, 10, 0], 0.5, 2.0),
        ([5, 5, 0], 0.5, 1.0),
        ([5, 5, 0], 0.95, 2.8),
        ([0, 0, 4], 0.5, 3.0),
    ],
)
def test_a_quantile_lies_in_its_bucket(buckets: list[int], share: float, seconds: float) -> None:
    assert quantile((1.0, 3.0), buckets, share) == pytest.approx(seconds)


def test_a_provider_is_told_by_its_breaker_and_its_own_calls() -> None:
    clock, metrics = ManualClock(), Metrics("payment")
    tell = metrics.provider_reachable("stripe")
    tell(True)  # noqa: FBT003  (the only thing there is to tell)
    watch = ProviderWatch("stripe", metrics, clock)
    for outcome, calls in {"answered": 5, "refused": 2, "lost": 1, "failed": 1, "cancelled": 9}.items():
        metrics.provider_calls.add("stripe", "confirm", outcome, amount=calls)
    metrics.provider_calls.add("avatax", "quote", "lost")

    well = watch.health()
    tell(False)  # noqa: FBT003  (as above)

    assert (well.left_alone, well.calls, well.failed_calls) == (False, 9, 2)
    assert watch.health().left_alone
    clock.advance(61)
    watch.health()
    clock.advance(61)
    assert watch.health().calls == 0


def test_steps_are_told_with_how_often_they_did_not_end_well() -> None:
    clock, metrics = ManualClock(), Metrics("order")
    metrics.step_duration.record(3.0, "charge", "done")
    measured = MeasuredByMetrics(metrics, clock)
    metrics.outbox_depth.set(7, "order_tasks")
    metrics.outbox_depth.set(2, "webhook_deliveries")
    metrics.outbox_age.set(1.5, "webhook_deliveries")
    for outcome in ("done", "done", "done", "unknown"):
        metrics.step_duration.record(0.08, "charge", outcome)

    (charge,), since = measured.steps()

    assert (charge.step, charge.count, charge.failed) == ("charge", 4, 1)
    assert 0.075 < charge.median_seconds < charge.percentile_95_seconds <= 0.1
    assert since == clock.now()
    assert measured.queues() == [Queue("webhook_deliveries", 2, 1.5)]
