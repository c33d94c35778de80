"""The database goes away, or is cut off in the middle of a commit: accepted orders are answered and seen through."""

import asyncio
import logging

import pytest

from kernel.errors import Reason, Refusal
from kernel.outcome import Unknown
from order_svc.app.ports import Due, InDoubt
from order_svc.domain.order import Event, State
from order_svc.domain.transition import Transition, retried
from tests.fakes.order_promises import check_promises
from tests.fakes.order_telling import FakeTelling
from tests.fakes.order_world import LEASE_SECONDS, Life, World, in_a_world
from tests.fakes.orders_in_memory import FakeOrders, Trouble

MOVES = 2  # an order that goes well is moved twice after it was stored


def with_store(world: World) -> tuple[Life, FakeOrders]:
    """Return a life and its store, whose calls can meet trouble."""
    orders = FakeOrders(world.database, world.clock, "here", "1")
    return world.life(orders=orders), orders


async def settled(life: Life, world: World) -> None:
    """Sweep until every lease was over and every retry was made."""
    for _ in range(int(LEASE_SECONDS) + 5):
        await life.sweep()
        await world.clock.sleep(1.0)


@in_a_world
async def test_an_order_that_cannot_be_stored_is_not_accepted(world: World) -> None:
    life, orders = with_store(world)
    orders.trouble["create"].append(Trouble.AWAY)

    with pytest.raises(Refusal) as refused:
        await life.place()

    assert refused.value.reason is Reason.UNAVAILABLE
    assert refused.value.retry_after is not None
    assert not world.database.orders
    assert world.payments.charges == 0


@in_a_world
async def test_an_accepted_order_is_answered_as_pending_while_the_database_is_away(world: World) -> None:
    for failed_move in range(MOVES):
        world = World(world.clock)
        life, orders = with_store(world)
        orders.trouble["move"].extend([*[None] * failed_move, Trouble.AWAY])
        orders.trouble["get"].extend([Trouble.AWAY] * 100)

        order = await life.place(seconds=2)

        assert order.state is State.PENDING
        orders.trouble.clear()
        await settled(life, world)
        (order,) = await check_promises(world, life)
        assert order.state is State.PAID
        assert life.work.defects == []


@in_a_world
async def test_an_outage_is_no_defect(world: World) -> None:
    life, orders = with_store(world)
    orders.trouble["finish_task"].extend([Trouble.AWAY] * 2)

    await life.place()
    await life.work.idle()

    assert life.work.defects == []
    assert not any(task.done for task in world.database.tasks.values())
    await settled(life, world)
    await check_promises(world, life)


@pytest.mark.parametrize("trouble", [Trouble.CUT_BEFORE, Trouble.CUT_AFTER])
@pytest.mark.parametrize("failed_move", range(MOVES))
def test_a_move_whose_commit_is_in_doubt_is_settled_by_reading(trouble: Trouble, failed_move: int) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life, orders = with_store(world)
        orders.trouble["move"].extend([*[None] * failed_move, trouble])

        order = await life.place()
        await life.work.idle()

        assert order.state is State.PAID
        assert life.telling.ends == [order.order_id]
        await check_promises(world, life)

    story()


@pytest.mark.parametrize("trouble", [Trouble.CUT_BEFORE, Trouble.CUT_AFTER])
def test_an_order_whose_storing_is_in_doubt_is_stored_once_and_driven_at_once(trouble: Trouble) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life, orders = with_store(world)
        orders.trouble["create"].append(trouble)

        order = await life.place()
        await life.work.idle()

        assert (order.state, world.clock.monotonic()) == (State.PAID, 0.0)
        await check_promises(world, life)

    story()


@in_a_world
async def test_when_the_doubt_stays_the_caller_is_told_to_repeat(world: World) -> None:
    life, orders = with_store(world)
    orders.trouble["create"].extend([Trouble.CUT_BEFORE] * 2)

    with pytest.raises(Refusal) as refused:
        await life.place()

    assert refused.value.reason is Reason.UNAVAILABLE
    assert "same key" in refused.value.message
    assert (await life.place()).state is State.PAID


@in_a_world
async def test_a_task_whose_commit_is_in_doubt_is_done_again_under_the_same_request_id(world: World) -> None:
    life, orders = with_store(world)
    orders.trouble["finish_task"].extend([Trouble.CUT_BEFORE, Trouble.CUT_AFTER])

    order = await life.place()
    await settled(life, world)

    await check_promises(world, life)
    assert len(world.mails.asked) + len(world.taxes.commits) == 3
    assert life.work.defects == []
    assert len(world.mails.notifications) == 1
    assert set(world.mails.notifications) == {f"{order.order_id}:confirmation"}


@pytest.mark.parametrize("failed_move", range(MOVES))
def test_an_order_that_another_replica_claimed_during_the_doubt_is_left_to_it(failed_move: int) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life, orders = with_store(world)
        orders.trouble["move"].extend([*[None] * failed_move, Trouble.OVERTAKEN])

        order = await life.place(seconds=5)

        assert order.state is State.PENDING
        assert world.payments.charges == failed_move
        await settled(life, world)
        await check_promises(world, life)

    story()


class LateRetry(FakeOrders):
    """Lets the retry of a charge come through just before the charge itself, whose commit then stays in doubt."""

    came_through = False

    async def move(self, transition: Transition, event: Event | None, lease_seconds: float) -> None:
        if transition.kind == "payment.charged" and not self.came_through:
            self.came_through = True
            before = self._database.orders[transition.order.order_id]
            late = retried(before, self._clock.now(), Unknown("timeout"), "charge", luck=0.5)
            await super().move(late, FakeTelling().event(late, "request"), lease_seconds)
            raise InDoubt
        await super().move(transition, event, lease_seconds)


@in_a_world
async def test_an_earlier_move_that_comes_through_late_is_not_taken_for_the_one_in_doubt(world: World) -> None:
    life = world.life(orders=LateRetry(world.database, world.clock, "here", "1"))

    order = await life.place(seconds=5)

    assert order.state is State.PENDING
    assert life.telling.ends == []
    await settled(life, world)
    assert life.telling.ends == [order.order_id]
    await check_promises(world, life)


def test_the_sweeper_outlives_an_outage_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life, orders = with_store(world)
        orders.trouble["due"].extend([*[Trouble.AWAY] * 30, Trouble.CUT_BEFORE])
        sweeping = asyncio.create_task(life.sweeper.run())

        await world.clock.sleep(60)

        assert not sweeping.done()
        assert not orders.trouble["due"]
        assert len(life.telling.backlogs) == 3
        sweeping.cancel()

    story()

    assert [record.message for record in caplog.records] == ["sweep.paused"]


def test_no_defect_ends_the_sweeping(caplog: pytest.LogCaptureFixture) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life, orders = with_store(world)
        sweeps = 0

        async def due() -> Due:
            nonlocal sweeps
            sweeps += 1
            if sweeps == 2:
                raise ZeroDivisionError("a defect")
            return Due(orders=False, tasks=False)

        orders.due = due  # type: ignore[method-assign]  # a defect, planted
        sweeping = asyncio.create_task(life.sweeper.run())

        await world.clock.sleep(10)

        assert sweeps > 5
        sweeping.cancel()

    with caplog.at_level(logging.ERROR):
        story()

    assert [record.message for record in caplog.records] == ["sweep.defect"]
    assert caplog.records[0].exc_info is not None


@in_a_world
async def test_a_claim_that_was_made_before_the_outage_is_worked_on(world: World) -> None:
    life, orders = with_store(world)
    orders.trouble["move"].append(Trouble.AWAY)
    await life.place(seconds=0.1)
    await world.clock.sleep(LEASE_SECONDS + 1)
    orders.trouble["backlog"].append(Trouble.AWAY)

    with pytest.raises(Refusal):
        await life.sweeper.sweep()
    await life.work.idle()

    (order,) = world.database.orders.values()
    assert order.state is State.PAID
    assert {name for _, name in world.database.tasks} == {"commit_tax", "send_confirmation"}
