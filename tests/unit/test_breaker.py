"""When a breaker lets calls through."""

import pytest

from chassis.breaker import Breaker
from tests.fakes.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker(clock, failures=3, first_seconds=1.0, longest_seconds=4.0)


def opened(breaker: Breaker) -> Breaker:
    for _ in range(3):
        assert breaker.admit()
        breaker.failed()
    return breaker


def test_fewer_failures_than_it_takes_change_nothing(breaker: Breaker) -> None:
    breaker.failed()
    breaker.failed()

    assert breaker.is_closed
    assert breaker.admit()
    assert breaker.wait_seconds() == 0.0


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    for outcome in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed, breaker.failed):
        outcome()

    assert breaker.is_closed


def test_enough_failures_in_a_row_keep_every_call_back_for_a_pause(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)

    assert not breaker.is_closed
    assert not breaker.admit()
    assert breaker.wait_seconds() == pytest.approx(1.0)
    clock.advance(0.75)
    assert not breaker.admit()
    assert breaker.wait_seconds() == pytest.approx(0.25)


def test_one_probe_and_no_more_goes_through_after_the_pause(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.advance(1.0)

    assert breaker.admit()
    assert not breaker.admit()


def test_a_probe_that_succeeds_closes_it(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.advance(1.0)
    breaker.admit()
    breaker.succeeded()

    assert breaker.is_closed
    assert breaker.admit()
    assert breaker.admit()


def test_failing_probes_double_the_pause_up_to_its_bound(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)
    pauses = []
    for _ in range(4):
        clock.advance(breaker.wait_seconds())
        assert breaker.admit()
        breaker.failed()
        pauses.append(breaker.wait_seconds())

    assert pauses == pytest.approx([2.0, 4.0, 4.0, 4.0])


def test_a_probe_nobody_reports_on_uses_up_another_pause_and_no_more(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.advance(1.0)
    breaker.admit()
    clock.advance(1.0)

    assert breaker.admit()


def test_failures_of_calls_from_before_it_opened_do_not_lengthen_the_pause(breaker: Breaker) -> None:
    opened(breaker)
    for _ in range(60):
        breaker.failed()

    assert breaker.wait_seconds() == pytest.approx(1.0)


def test_the_pause_that_the_other_side_asks_for_is_heeded(breaker: Breaker) -> None:
    breaker.failed()
    breaker.failed()
    breaker.failed(pause_seconds=60.0)

    assert breaker.wait_seconds() == pytest.approx(60.0)


def test_after_it_closed_the_first_pause_is_short_again(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.advance(1.0)
    breaker.admit()
    breaker.failed()
    clock.advance(2.0)
    breaker.admit()
    breaker.succeeded()
    opened(breaker)

    assert breaker.wait_seconds() == pytest.approx(1.0)
