"""A client holds back what a service would refuse, and asks as much as ever as soon as it has room again."""

import itertools
import math
from collections.abc import Callable

import pytest

from chassis.throttle import Throttle


def offer(throttle: Throttle, per_second: float, seconds: float, takes: Callable[[int], bool]) -> tuple[int, int]:
    """Offer so many calls a second, and return how many reached the service and how many it took: those it `takes`."""
    reached = taken = 0
    for number in range(int(per_second * seconds)):
        if not throttle.admits(1000.0 + number / per_second):
            continue
        reached += 1
        if takes(reached):
            taken += 1
        else:
            throttle.refused()
    return reached, taken


def test_a_service_that_takes_everything_is_asked_everything() -> None:
    assert offer(Throttle(), 100, 20, lambda _: True) == (2000, 2000)


def test_of_a_service_that_refuses_a_tenth_nothing_is_held_back() -> None:
    reached, _ = offer(Throttle(), 100, 20, lambda number: number % 10 > 0)

    assert reached == 2000


@pytest.mark.parametrize("per_second", [60, 200])
def test_a_service_that_takes_a_fixed_rate_meets_the_root_of_what_is_asked_times_that(per_second: int) -> None:
    """It takes 20 a second: whenever the time has come for one more."""
    throttle, room, reached, taken = Throttle(), 0.0, 0, 0
    for number in range(per_second * 40):
        now = number / per_second
        room = min(room + 20 / per_second, 5.0)
        if not throttle.admits(now):
            continue
        counted = now > 20
        reached += counted
        if room >= 1.0:
            room -= 1.0
            taken += counted
        else:
            throttle.refused()

    assert taken / 20 == pytest.approx(20, rel=0.1), "it has as much to do as it takes"
    assert reached / 20 == pytest.approx(math.sqrt(per_second * 20), rel=0.2)


def test_a_service_that_has_room_again_is_asked_everything_after_some_seconds() -> None:
    throttle = Throttle()
    for number in range(600):
        if throttle.admits(number / 60) and number % 3:
            throttle.refused()
    recovering = [throttle.admits(10.0 + number / 60) for number in range(1200)]

    assert not all(recovering[:120])
    assert all(recovering[-300:])


def test_a_service_that_takes_nothing_is_still_asked_one_time_in_ten() -> None:
    throttle, asked = Throttle(), []
    for number in range(3000):
        if throttle.admits(number / 100):
            asked.append(number)
            throttle.refused()

    assert max(later - earlier for earlier, later in itertools.pairwise(asked)) <= 11
    assert len(asked) == pytest.approx(300, rel=0.05)


@pytest.mark.parametrize("late", [0.3, 1.0])
def test_refusals_that_are_heard_late_hold_nothing_back_once_the_service_has_room(late: float) -> None:
    throttle = Throttle()
    heard_at: list[float] = []
    for number in range(400):
        now = number / 200
        while heard_at and heard_at[0] <= now:
            heard_at.pop(0)
            throttle.refused()
        if throttle.admits(now):
            heard_at.append(now + late)
    for _ in heard_at:
        throttle.refused()
    recovering = [throttle.admits(2.0 + late + number / 10) for number in range(150)]

    assert any(recovering[:20])
    assert all(recovering[-50:])


@pytest.mark.parametrize("refused", [0.4, 0.5, 0.8])
def test_where_always_the_same_part_is_refused_no_more_than_that_is_held_back(refused: float) -> None:
    """As with one full replica of two."""
    throttle, owed, reached = Throttle(), 0.0, 0
    for number in range(4000):
        if not throttle.admits(number / 100):
            continue
        reached += number >= 2000
        owed += refused
        if owed >= 1.0:
            owed -= 1.0
            throttle.refused()

    assert reached / 2000 == pytest.approx(1 - refused, abs=0.12)


def test_a_refusal_of_long_ago_counts_for_nothing() -> None:
    throttle = Throttle()
    for _ in range(50):
        throttle.admits(0.0)
        throttle.refused()

    assert throttle.admits(60.0)
    assert throttle.admits(60.1)
