"""The overview: one count serves everybody who looks, and long counts are made seldom."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from order_svc.app.overview import GetOverview
from order_svc.domain.order import State
from order_svc.domain.overview import Counted, Overview, Queue, StepTimes
from order_svc.overview_wire import overview_to_wire
from tests.fakes.manual_clock import ManualClock
from tests.fakes.orders_in_memory import Database, FakeOrders


class Counting(FakeOrders):
    """A database in which counting takes its time."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        super().__init__(Database(), clock, "here", "1")
        self.counts = 0
        self._manual = clock
        self._seconds = seconds

    async def counted(self, since: datetime, most: int) -> Counted:
        self.counts += 1
        await asyncio.sleep(0)
        self._manual.advance(self._seconds)
        return Counted({State.PAID: self.counts}, most, 0, 0, 0, 0.0, 0.0)


class Nothing:
    """The port `Measured` of a replica that has done nothing yet."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def queues(self) -> Sequence[Queue]:
        return ()

    def steps(self) -> tuple[Sequence[StepTimes], datetime]:
        return (), self._clock.now()


async def test_many_who_look_at_once_have_it_counted_once() -> None:
    clock = ManualClock()
    orders = Counting(clock, 0.01)
    overview = GetOverview(orders, Nothing(clock), clock)

    found = await asyncio.gather(*(overview() for _ in range(20)))
    clock.advance(1.9)
    await overview()
    assert orders.counts == 1
    clock.advance(0.2)
    again = await overview()

    assert {each.counted.states[State.PAID] for each in found} == {1}
    assert (orders.counts, again.counted.states[State.PAID]) == (2, 2)
    assert again.counted.most == 10_000  # as the contract says


def test_counting_stops_at_some_and_says_so() -> None:
    now = datetime.fromtimestamp(0, UTC)
    states = {State.PAID: 11, State.FAILED: 10}

    told = overview_to_wire(Overview(Counted(states, 10, 0, 0, 0, 0.0, 0.0), now, (), (), now)).states

    assert [(each.orders, each.more) for each in told if each.orders] == [(10, True), (10, False)]
    assert len(told) == len(State)


async def test_a_count_that_takes_long_is_kept_for_long() -> None:
    clock = ManualClock()
    orders = Counting(clock, 2.0)
    overview = GetOverview(orders, Nothing(clock), clock)

    await overview()
    clock.advance(79)
    kept = await overview()
    clock.advance(2)
    await overview()

    assert orders.counts == 2
    assert kept.counted_at < clock.now()
