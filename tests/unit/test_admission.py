"""A process takes on what it can do in good time, and finds out by itself how much that is."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis.admission import OUTER_SECONDS, Admission, Rates
from chassis.caller import MACHINES_USER, Caller, itself, set_current
from chassis.layers import Method
from chassis.limits import Limits
from chassis.serving.admission import AdmissionLayer
from kernel.errors import Reason, Refusal

SLOW, QUICK = 5 * OUTER_SECONDS, OUTER_SECONDS / 5


def admission(most: int = 100) -> Admission:
    return Admission(Limits(in_flight=most), OUTER_SECONDS)


def observe(door: Admission, round_seconds: float, *, intervals: int, after: float = 0.0) -> None:
    """Let so many intervals go by in which every round takes that long."""
    for tenth in range(intervals + 1):
        door.observe(round_seconds, now=1000.0 + after + tenth * 0.1001)


async def test_as_many_as_allowed_are_let_in_and_one_more_is_refused_with_a_time_to_wait() -> None:
    door = admission(4)
    for _ in range(4):
        door.enter()

    with pytest.raises(Refusal) as refused:
        door.enter()

    assert (refused.value.reason, refused.value.retry_after) == (Reason.OVERLOADED, 1.0)
    door.leave()
    door.enter()
    assert door.in_flight == 4


async def test_it_says_beforehand_whether_there_is_room_and_thinks_about_that_as_well() -> None:
    door = admission(1)
    assert not door.full()
    door.enter()

    told = [door.full() for _ in range(3)]
    await asyncio.sleep(0)

    assert told == [True] * 3
    assert door.in_flight == 1
    door.leave()
    assert not door.full()


async def test_a_call_that_fails_gives_its_place_back() -> None:
    door = admission()
    with pytest.raises(ValueError, match="broken"), door.admitted():
        raise ValueError("broken")

    assert door.in_flight == 0


async def test_rounds_that_are_always_long_cut_what_is_in_flight_and_short_ones_let_it_grow_again() -> None:
    door = admission()
    for _ in range(90):
        door.enter()
    observe(door, SLOW, intervals=1)
    assert door.limit == 81
    observe(door, SLOW, intervals=100, after=10)
    assert door.limit == 64

    observe(door, QUICK, intervals=100, after=30)
    assert door.limit == 100


async def test_nothing_takes_away_the_least_that_is_let_in() -> None:
    door = Admission(Limits(in_flight=100), OUTER_SECONDS, least=90)
    for _ in range(100):
        door.enter()
    for tenth in range(10):
        door.push_back()
        door.observe(SLOW, now=1000.0 + 0.11 * tenth)

    assert door.limit == 90


async def test_one_short_round_in_an_interval_says_that_there_is_no_standing_queue() -> None:
    door = admission()
    for round_seconds, now in ((SLOW, 1.0), (SLOW, 1.03), (QUICK, 1.06), (SLOW, 1.11)):
        door.observe(round_seconds, now)

    assert door.limit == 100


async def test_a_burst_after_a_quiet_time_is_let_through() -> None:
    door = admission()
    for minute in range(1, 100):
        door.observe(SLOW, now=60.0 * minute)

    assert door.limit == 100


async def test_what_is_refused_further_in_is_let_in_less() -> None:
    door = admission()
    for _ in range(90):
        door.enter()
    door.observe(QUICK, now=1000.0)
    door.push_back()
    door.observe(QUICK, now=1000.11)
    assert door.limit == 81
    door.observe(QUICK, now=1000.22)
    assert door.limit == 84


@pytest.mark.parametrize(("busy", "limit"), [(1, 100), (2, 81)])
async def test_more_than_a_third_of_answers_that_say_busy_have_less_let_in(busy: int, limit: int) -> None:
    door = admission()
    for _ in range(90):
        door.enter()
    door.observe(QUICK, now=1000.0)
    for number in range(3):
        door.answered(busy=number < busy)
    door.observe(QUICK, now=1000.11)

    assert door.limit == limit


async def test_what_was_said_before_a_quiet_time_is_forgotten() -> None:
    door = admission()
    door.push_back()
    door.answered(busy=True)
    observe(door, QUICK, intervals=1, after=60)

    assert door.limit == 100


async def test_it_is_busy_while_rounds_are_long_and_neither_afterwards_nor_when_it_was_quiet() -> None:
    door = Admission(Limits(in_flight=100))
    told = []
    for round_seconds, after in ((QUICK, 0), (SLOW, 10), (QUICK, 20), (SLOW, 30)):
        observe(door, round_seconds, intervals=1, after=after)
        told.append(door.busy)
    door.observe(SLOW, now=1100.0)

    assert told == [False, True, False, True]
    assert not door.busy
    assert door.limit == 100, "behind the first service it says so long before it refuses"


async def test_the_limit_is_told_at_once_and_whenever_it_changes() -> None:
    told: list[float] = []
    door = Admission(Limits(in_flight=100), OUTER_SECONDS, told.append)
    assert told == [100.0]

    observe(door, QUICK, intervals=1)
    assert told == [100.0]

    observe(door, SLOW, intervals=1, after=10)
    assert told[1:] == [door.limit]
    assert door.limit < 100


async def test_a_loop_that_is_kept_busy_is_noticed() -> None:
    door = admission()
    loop = asyncio.get_running_loop()

    def work() -> None:
        until = loop.time() + 2 * OUTER_SECONDS
        while loop.time() < until:
            pass

    for _ in range(8):
        loop.call_soon(work)
        door.enter()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert door.limit < 100


def test_a_principal_gets_what_is_theirs_and_is_told_when_there_is_more() -> None:
    rates = Rates(per_second=2.0)
    for _ in range(4):
        rates.take("key:shop", now=100.0)
    with pytest.raises(Refusal) as refused:
        rates.take("key:shop", now=100.0)
    rates.take("key:other", now=100.0)

    assert refused.value.reason is Reason.OVERLOADED
    assert refused.value.retry_after == 0.5
    rates.take("key:shop", now=100.5)
    with pytest.raises(Refusal):
        rates.take("key:shop", now=100.5)


KEY = Caller("key:shop", "gateway", vouched=True)


@pytest.mark.parametrize(
    ("who", "bounded"),
    [
        (KEY, True),
        (Caller("user:42", "local", vouched=True), True),
        (itself("books"), True),
        (itself("order"), False),
        (itself("gateway"), False),
        (MACHINES_USER, False),
    ],
    ids=lambda value: value.principal if isinstance(value, Caller) else "",
)
async def test_a_rate_bounds_whoever_comes_from_outside_and_no_part_of_the_mesh(who: Caller, *, bounded: bool) -> None:
    taken = []

    async def answers(request: object, _context: object) -> Message:
        taken.append(request)
        return Empty()

    layer = AdmissionLayer(Admission(Limits(calls_per_second=1.0)))
    call: Any = layer.around_unary(Method("/shop.v1.Shop/Call", Empty.FromString), answers)
    set_current(who)
    for _ in range(10):
        with suppress(Refusal):
            await call(Empty(), None)

    assert len(taken) == (2 if bounded else 10)


def test_a_slow_rate_lets_one_call_through_at_once() -> None:
    rates = Rates(per_second=0.1)
    rates.take("key:shop", now=0.0)
    with pytest.raises(Refusal) as refused:
        rates.take("key:shop", now=5.0)
    assert refused.value.retry_after == pytest.approx(5.0)
