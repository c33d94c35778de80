"""What an order and an idle service cost: how often the database and the other services are asked."""

from collections import Counter

from tests.fakes.order_payments import NEEDS_ACTION
from tests.fakes.order_world import Doom, World, in_a_world


def calls(doom: Doom) -> Counter[str]:
    """Return how often each port was called, and begin to count anew."""
    made = Counter(point.removeprefix("before ") for point in doom.passed if point.startswith("before "))
    doom.passed.clear()
    return made


@in_a_world
async def test_an_order_that_goes_well_is_five_commits_and_a_call_for_each_effect(
    world: World,
) -> None:
    doom = Doom()
    life = world.life(doom)

    await life.place()
    await life.work.idle()

    effects = {"quote": 1, "charge": 1, "commit": 1, "send": 1}
    assert calls(doom) == {"create": 1, "move": 2, "finish_task": 2, **effects}


@in_a_world
async def test_an_idle_sweep_is_one_read_and_what_is_not_finished_is_told_every_ten_seconds(world: World) -> None:
    doom = Doom()
    life = world.life(doom)
    await life.place()
    await life.work.idle()
    calls(doom)

    for _ in range(30):
        await life.sweep()
        await world.clock.sleep(1.0)

    assert calls(doom) == {"due": 30, "backlog": 3}


@in_a_world
async def test_a_look_that_hears_nothing_is_one_call_and_no_read(world: World) -> None:
    doom = Doom()
    life = world.life(doom)
    await life.place()
    await life.work.idle()
    calls(doom)

    await life.news.look()

    assert calls(doom) == {"news": 1}


@in_a_world
async def test_news_of_an_order_that_waits_is_one_read_and_one_commit(world: World) -> None:
    doom = Doom()
    life = world.life(doom)
    order = await life.place(NEEDS_ACTION)
    world.payments.customer_pays(order.order_id)
    calls(doom)

    await life.news.look()

    assert calls(doom) == {"news": 1, "standings": 1, "move": 1, "acknowledge": 1}
