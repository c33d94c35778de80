"""Payments that change unasked: the orders hear of it, once, whatever fails in between."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from kernel.money import Money
from order_svc.app.ports import OrderFilter
from order_svc.domain.order import Order, Stage, State
from tests.fakes.order_faults import Lost
from tests.fakes.order_payments import DECLINED, NEEDS_ACTION
from tests.fakes.order_promises import check_promises
from tests.fakes.order_samples import a_payment, euros
from tests.fakes.order_world import ACTION_SECONDS, Crash, Doom, Life, World, in_a_world
from tests.fakes.virtual_time import LoopClock, in_virtual_time

DAY = 86_400.0


async def only_order(life: Life) -> Order:
    (order,) = await life.orders.page(OrderFilter(), "", 10)
    return order


async def given_up(world: World, life: Life) -> str:
    """Place an order whose customer never confirms it, and let its time run out."""
    order = await life.place(NEEDS_ACTION)
    await world.clock.sleep(ACTION_SECONDS + 1)
    for _ in range(3):
        await life.sweep()
    assert (await only_order(life)).state is State.FAILED
    return order.order_id


async def refunded(world: World, life: Life) -> str:
    """Place an order that fails after its money had moved, and is given back."""
    order = await life.place(NEEDS_ACTION)
    world.payments.faults.plan("read", *[Lost.REQUEST] * 100)
    await world.clock.sleep(ACTION_SECONDS + 1)
    world.payments.faults.clear()
    payment = world.payments.payments[order.order_id]
    captured = Money("EUR", payment.amount.minor_units - 1)
    wrong = a_payment(payment.amount, order_id=order.order_id, captured=captured)
    world.payments.keep(order.order_id, wrong)
    world.payments.captures.append((order.order_id, captured))
    await life.sweep()
    assert (await only_order(life)).state is State.FAILED
    return order.order_id


def kinds(world: World, order_id: str) -> list[str]:
    return [event.kind for event in world.database.events[order_id]]


@in_a_world
async def test_a_customer_who_paid_is_seen_at_once_and_not_at_the_next_poll(world: World) -> None:
    life = world.life()
    order = await life.place(NEEDS_ACTION)
    for _ in range(100):
        await life.sweep()
        await world.clock.sleep(1.0)
    world.payments.customer_pays(order.order_id)

    assert await life.news.look()
    await life.sweep()

    assert (await only_order(life)).state is State.PAID
    assert world.payments.unheard == {}
    await check_promises(world, life)


@in_a_world
async def test_the_watcher_and_the_sweeper_end_a_customers_wait_within_two_seconds(world: World) -> None:
    life = world.life()
    running = [asyncio.create_task(life.sweeper.run()), asyncio.create_task(life.news.run())]
    order = await life.place(NEEDS_ACTION)
    await world.clock.sleep(300)
    world.payments.customer_pays(order.order_id)

    await world.clock.sleep(2.1)

    assert (await only_order(life)).state is State.PAID
    for each in running:
        each.cancel()


@in_a_world
async def test_money_that_arrives_for_an_order_that_was_given_up_goes_back_once(world: World) -> None:
    life = world.life()
    order_id = await given_up(world, life)
    world.payments.keep(order_id, replace(world.payments.payments[order_id], state=a_payment(euros(1)).state))
    payment = world.payments.payments[order_id]
    world.payments.keep(order_id, replace(payment, captured=payment.amount))
    world.payments.captures.append((order_id, payment.amount))
    world.payments.tell(order_id)

    await life.news.look()
    await life.sweep()

    (order,) = await check_promises(world, life)
    assert order.state is State.FAILED
    assert kinds(world, order_id)[-2:] == ["payment.late", "payment.undone"]
    assert world.payments.refund_keys == [f"{order_id}:undo:2"]
    assert life.telling.ends == [order_id]


@in_a_world
async def test_a_refund_that_the_bank_returns_is_parked_and_sent_again_the_next_day_as_a_new_one(world: World) -> None:
    life = world.life()
    order_id = await refunded(world, life)
    world.payments.bank_returns(order_id)

    await life.news.look()
    await life.sweep()

    order = await only_order(life)
    assert (order.state, order.stage, order.needs_review) == (State.FAILED, Stage.UNDOING, True)
    assert world.payments.refund_keys == [f"{order_id}:undo"]
    await world.clock.sleep(DAY + 1)
    await life.sweep()

    (order,) = await check_promises(world, life)
    assert world.payments.refund_keys == [f"{order_id}:undo", f"{order_id}:undo:2"]
    assert kinds(world, order_id)[-2:] == ["refund.failed", "payment.undone"]


@in_a_world
async def test_a_refund_that_fails_day_after_day_is_one_new_refund_a_day_and_never_two(world: World) -> None:
    life = world.life()
    order_id = await refunded(world, life)
    world.payments.closed.add(order_id)
    world.payments.bank_returns(order_id)
    await life.news.look()
    for day in range(2, 6):
        await world.clock.sleep(DAY)
        world.payments.faults.plan("refund", Lost.REQUEST, Lost.ANSWER)
        for _ in range(10):
            await life.sweep()
            await world.clock.sleep(1.0)
        assert world.payments.refund_keys[1:] == [f"{order_id}:undo:{number}" for number in range(2, day + 1)]
        assert (await only_order(life)).needs_review

    world.payments.closed.clear()
    await world.clock.sleep(DAY)
    await life.sweep()

    await check_promises(world, life)
    assert len(world.payments.refunds) == 2  # the one that came back, and the one that did not


@in_a_world
async def test_money_given_back_by_hand_ends_the_order_without_another_refund(world: World) -> None:
    life = world.life()
    order_id = await refunded(world, life)
    world.payments.bank_returns(order_id)
    await life.news.look()
    world.payments.refunded_by_hand(order_id, world.payments.kept(order_id))

    await life.news.look()
    await life.sweep()

    await check_promises(world, life)
    assert world.payments.refund_keys == [f"{order_id}:undo"]


@in_a_world
async def test_money_that_somebody_else_had_given_back_by_a_command_ends_the_order_when_its_turn_comes(
    world: World,
) -> None:
    life = world.life()
    order_id = await refunded(world, life)
    world.payments.bank_returns(order_id)
    await life.news.look()
    world.payments.refunded_by_hand(order_id, world.payments.kept(order_id))
    world.payments.unheard.clear()  # who gives an order to refund hears of it in the answer

    await world.clock.sleep(DAY + 1)
    await life.sweep()

    stored = await only_order(life)
    assert (stored.state, stored.stage, stored.needs_review) == (State.FAILED, Stage.SETTLED, False)
    await check_promises(world, life)
    assert world.payments.refund_keys == [f"{order_id}:undo"]


@in_a_world
async def test_money_of_a_paid_order_that_was_given_back_by_hand_is_shown_and_not_touched(world: World) -> None:
    life = world.life()
    order = await life.place()
    await life.work.idle()
    world.payments.refunded_by_hand(order.order_id, euros(100))

    for _ in range(3):
        await life.news.look()
        await life.sweep()

    stored = await only_order(life)
    assert (stored.state, stored.needs_review, stored.version) == (State.PAID, True, order.version + 1)
    assert kinds(world, order.order_id).count("payment.differs") == 1
    assert world.payments.unheard == {}


@in_a_world
async def test_news_of_an_order_that_somebody_holds_waits_until_they_let_go(world: World) -> None:
    dead, life = world.life(), world.life()
    order = await dead.place(NEEDS_ACTION)
    await world.clock.sleep(10)
    (held,) = await dead.orders.claim_orders(10, 30.0)
    world.payments.customer_pays(order.order_id)

    await life.news.look()

    assert await only_order(life) == held
    assert order.order_id in world.payments.unheard
    await world.clock.sleep(31)
    await life.news.look()
    await life.sweep()
    assert (await only_order(life)).state is State.PAID
    assert world.payments.unheard == {}


@in_a_world
async def test_replicas_that_hear_the_same_at_once_move_the_order_once(world: World) -> None:
    lives = [world.life() for _ in range(3)]
    order_id = await refunded(world, lives[0])
    world.payments.bank_returns(order_id)

    await asyncio.gather(*(life.news.look() for life in lives))
    await lives[1].news.look()

    assert kinds(world, order_id).count("refund.failed") == 1
    assert world.payments.unheard == {}


@in_a_world
async def test_news_whose_acknowledgement_is_lost_is_heard_again_and_changes_nothing_more(world: World) -> None:
    life = world.life()
    order_id = await refunded(world, life)
    world.payments.bank_returns(order_id)
    world.payments.faults.plan("acknowledge", Lost.REQUEST)

    await life.news.look()
    before = await only_order(life)
    await life.news.look()

    assert await only_order(life) == before
    assert world.payments.unheard == {}


def test_news_of_an_unknown_order_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life = world.life()
        world.payments.keep("gone", a_payment(euros(1), order_id="gone"))
        world.payments.tell("gone")

        await life.news.look()
        await life.news.look()

    story()

    assert [record.message for record in caplog.records] == ["news.unknown_order"]


@pytest.mark.parametrize("what", ["late", "returned"])
def test_news_survives_a_crash_at_every_point(what: str) -> None:
    async def story() -> None:
        point = 0
        while True:
            point += 1
            world = World(LoopClock())
            first = world.life()
            order_id = await refunded(world, first)
            if what == "returned":
                world.payments.bank_returns(order_id)
            else:
                payment = world.payments.payments[order_id]
                world.payments.keep(order_id, replace(payment, captured=payment.captured + euros(1)))
                world.payments.captures.clear()
                world.payments.captures.append((order_id, euros(1)))
                world.payments.tell(order_id)
            doom = Doom(point)
            dying = world.life(doom)
            with suppress(Crash):
                await dying.news.look()
                await dying.sweep()
            await dying.work.idle()

            second = world.life()
            await second.orders.release_own()
            for _ in range(3):
                await second.news.look()
                await world.clock.sleep(DAY)
                await second.sweep()

            await check_promises(world, second)
            assert len(world.payments.refund_keys) == 2
            if len(doom.passed) < point:
                break

    in_virtual_time(story())


@in_a_world
async def test_a_card_that_was_declined_and_another_that_is_taken_later_leaves_nothing_charged(world: World) -> None:
    life = world.life()
    with suppress(Exception):
        await life.place(DECLINED)
    order = await only_order(life)
    world.payments.customer_pays(order.order_id)

    await life.news.look()
    await life.sweep()

    (order,) = await check_promises(world, life)
    assert order.state is State.FAILED
    assert order.failure is not None
    assert order.failure.decline_code == "insufficient_funds"
