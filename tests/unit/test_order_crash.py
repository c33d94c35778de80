"""The process dies at every point where it can; the next life sees every order through."""

from contextlib import suppress

import pytest

from kernel.errors import Refusal
from order_svc.domain.order import State
from tests.fakes.order_faults import Late, Lost
from tests.fakes.order_payments import DECLINED, NEEDS_ACTION
from tests.fakes.order_promises import check_promises
from tests.fakes.order_samples import VISA
from tests.fakes.order_world import Crash, Doom, Life, World
from tests.fakes.orders_in_memory import FakeOrders, Trouble
from tests.fakes.virtual_time import LoopClock, in_virtual_time

# Long enough for every retry of these stories, and for a lease.
QUIET_SECONDS = 60


async def placed(life: Life, payment_method: str) -> None:
    """Place an order; how it is answered does not matter."""
    with suppress(Refusal, Crash):
        await life.place(payment_method, seconds=0.5)
    await life.work.idle()


async def settled(life: Life, seconds: int = QUIET_SECONDS) -> None:
    """Sweep until the world is quiet."""
    with suppress(Crash):
        for _ in range(seconds):
            await life.sweep()
            await life.sweeper._clock.sleep(1.0)
    await life.work.idle()


def the_customer_pays(world: World) -> None:
    for order_id in world.database.orders:
        if order_id in world.payments.payments:
            world.payments.customer_pays(order_id)


def only_crashes(life: Life) -> None:
    assert all(isinstance(defect, Crash) for defect in life.work.defects)


async def points_of(payment_method: str) -> int:
    """Return how many points a life has in which nothing goes wrong."""
    doom = Doom()
    life = World(LoopClock()).life(doom)
    await placed(life, payment_method)
    await settled(life, 1)
    return len(doom.passed)


@pytest.mark.parametrize("payment_method", [VISA, DECLINED])
def test_an_order_survives_a_crash_at_every_point(payment_method: str) -> None:
    async def story() -> None:
        for point in range(1, await points_of(payment_method) + 1):
            world = World(LoopClock())
            first = world.life(Doom(point))
            await placed(first, payment_method)
            await settled(first, 1)

            second = world.life()
            await second.orders.release_own()
            await settled(second, 3)
            await placed(second, payment_method)
            await settled(second, 3)

            (order,) = await check_promises(world, second)
            assert (order.state is State.PAID) is (payment_method == VISA)
            only_crashes(first)
            assert second.work.defects == []

    in_virtual_time(story())


def test_a_paid_order_survives_two_crashes_at_every_pair_of_points() -> None:
    async def story() -> None:
        for point in range(1, await points_of(VISA) + 1):
            again = 0
            while True:
                again += 1
                world = World(LoopClock())
                await placed(world.life(Doom(point)), VISA)
                doom = Doom(again)
                second = world.life(doom)
                with suppress(Crash):
                    await second.orders.release_own()
                    await settled(second, 3)
                    await placed(second, VISA)

                third = world.life()
                await third.orders.release_own()
                await settled(third, 3)
                await placed(third, VISA)

                (order,) = await check_promises(world, third)
                assert order.state is State.PAID
                if len(doom.passed) < again:
                    break

    in_virtual_time(story())


@pytest.mark.parametrize("fault", [Lost.REQUEST, Lost.ANSWER, Late(0.1), Late(20.0)])
@pytest.mark.parametrize("call", ["quote", "charge", "send", "commit"])
def test_a_lost_call_and_a_crash_together_lose_nothing(call: str, fault: Lost | Late) -> None:
    async def story() -> None:
        for point in range(1, await points_of(VISA) + 3):
            world = World(LoopClock())
            faults = world.faults_of(call)
            faults.plan(call, fault)
            await placed(world.life(Doom(point)), VISA)
            faults.clear()

            second = world.life()
            await second.orders.release_own()
            await settled(second)
            await placed(second, VISA)

            (order,) = await check_promises(world, second)
            assert order.state is State.PAID

    in_virtual_time(story())


def test_a_customer_who_pays_between_two_lives_has_paid() -> None:
    async def story() -> None:
        for point in range(1, await points_of(NEEDS_ACTION) + 1):
            world = World(LoopClock())
            await placed(world.life(Doom(point)), NEEDS_ACTION)
            the_customer_pays(world)

            second = world.life()
            await second.orders.release_own()
            await settled(second, 5)
            await placed(second, NEEDS_ACTION)
            the_customer_pays(world)
            await settled(second)

            (order,) = await check_promises(world, second)
            assert order.state is State.PAID

    in_virtual_time(story())


def test_an_order_that_another_replica_takes_over_is_charged_once() -> None:
    """Nobody releases anything here: the lease of the dead replica has to run out."""

    async def story() -> None:
        for point in range(1, await points_of(VISA) + 1):
            world = World(LoopClock())
            await placed(world.life(Doom(point)), VISA)

            other = world.life()
            await settled(other)
            await placed(other, VISA)

            (order,) = await check_promises(world, other)
            assert order.state is State.PAID

    in_virtual_time(story())


def test_a_process_that_stood_still_longer_than_its_lease_charges_nothing_that_is_not_its_own() -> None:
    async def story() -> None:
        world = World(LoopClock())
        orders = FakeOrders(world.database, world.clock, "here", "1")
        orders.trouble["move"].append(Trouble.PAUSED)
        paused, other = world.life(orders=orders), world.life()
        placing = paused.work.start(paused.place(seconds=120), "place")

        await settled(other, 40)
        assert [order.state for order in world.database.orders.values()] == [State.PAID]
        order = await placing

        assert order.state is State.PAID
        assert (world.payments.charges, world.payments.late) == (2, 1)
        await settled(other)
        await check_promises(world, other)

    in_virtual_time(story())
