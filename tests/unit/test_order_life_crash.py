"""Whatever is asked of an order ends as it should, wherever the process dies and whatever call is lost."""

from contextlib import suppress

import pytest

from kernel.errors import Reason, Refusal
from order_svc.domain.order import State
from tests.fakes.order_account import check_account
from tests.fakes.order_asking import quiet
from tests.fakes.order_faults import Fault, Late, Lost, Slow
from tests.fakes.order_scenarios import SCENARIOS, Scenario
from tests.fakes.order_world import Crash, Doom, Life, World
from tests.fakes.virtual_time import LoopClock, in_virtual_time

FAULTS: dict[str, Fault] = {
    "lost": Lost.REQUEST,
    "unanswered": Lost.ANSWER,
    "late": Late(20.0),
    "slow": Slow(9.0),
    "refused for now": Refusal(Reason.UNAVAILABLE, "not now"),
}


async def asked(life: Life, scenario: Scenario, order_id: str) -> None:
    """Ask; how it is answered does not matter here."""
    with suppress(Refusal, Crash):
        await scenario.act(life, order_id)
    await life.work.idle()


async def _check(world: World, life: Life, scenario: Scenario) -> None:
    order = await check_account(world, life)
    assert (order.state, order.needs_review, order.cancelling) == (scenario.state, False, False)
    assert (order.captured.minor_units, order.refunded.minor_units) == (scenario.captured, scenario.refunded)
    if order.state is State.CANCELLED:
        assert world.payments.payments[order.order_id].state == "CANCELLED"


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_it_ends_as_it_should_after_a_crash_at_every_point(scenario: Scenario) -> None:
    async def story() -> None:
        point = 0
        while True:
            point += 1
            world, doom = World(LoopClock()), Doom(point)
            order = await scenario.prepare(world, world.life())
            dying = world.life(doom)
            await asked(dying, scenario, order.order_id)

            second = world.life()
            await second.orders.release_own()
            await quiet(world, second, 10.0)
            await asked(second, scenario, order.order_id)
            await quiet(world, second, 10.0)

            await _check(world, second, scenario)
            assert all(isinstance(defect, Crash) for defect in dying.work.defects)
            assert second.work.defects == []
            if len(doom.passed) < point:
                break
        assert point > 5

    in_virtual_time(story())


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_it_ends_as_it_should_whatever_call_goes_wrong(scenario: Scenario, fault: Fault) -> None:
    async def story() -> None:
        for call in scenario.calls:
            world = World(LoopClock())
            life = world.life()
            order = await scenario.prepare(world, life)
            world.faults_of(call).clear()
            world.faults_of(call).plan(call, fault)

            await asked(life, scenario, order.order_id)
            await quiet(world, life)
            await asked(life, scenario, order.order_id)
            await quiet(world, life)

            await _check(world, life, scenario)
            assert world.faults_of(call).met(call), f"nobody has called {call}"
            assert life.work.defects == []

    in_virtual_time(story())
