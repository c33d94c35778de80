"""Money that somebody gives back, or a bank disputes, before its order has heard that it was taken."""

import asyncio
from datetime import timedelta

import pytest

from kernel.errors import Refusal
from kernel.outcome import Done
from order_svc.domain.giving_back import Wanted
from order_svc.domain.news import after_catching_up
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import Dispute
from order_svc.domain.refund import RefundKind
from tests.fakes.order_account import check_account
from tests.fakes.order_asking import alerts, cancel, quiet, refund, ship, stored
from tests.fakes.order_faults import Held, Lost
from tests.fakes.order_payments import NEEDS_ACTION
from tests.fakes.order_samples import NOW, euros
from tests.fakes.order_scenarios import held, paid
from tests.fakes.order_situations import SITUATIONS
from tests.fakes.order_world import Doom, Life, World, in_a_world
from tests.fakes.virtual_time import LoopClock, in_virtual_time

TOTAL = 7075
DISPUTE = Dispute("dp_1", "NEEDS_RESPONSE", euros(TOTAL), "fraudulent", NOW + timedelta(days=7), NOW)


async def taken_and_given_back(world: World, life: Life, minor_units: int) -> Order:
    """Place an order whose held money somebody takes at Stripe, and gives some of back there, before it hears of it."""
    order = await held(world, life)
    world.payments.customer_pays(order.order_id)
    world.payments.adopts(order.order_id, euros(minor_units))
    return order


def kinds(world: World) -> list[str]:
    return [event.kind for event in world.database.events[stored(world).order_id] if event.cause != "outbox"]


@pytest.mark.parametrize(("minor_units", "state"), [(75, State.PAID), (TOTAL, State.REFUNDED)])
def test_what_was_given_back_before_the_order_heard_of_its_money_is_its_refund(minor_units: int, state: State) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life = world.life()
        await taken_and_given_back(world, life, minor_units)

        await quiet(world, life)

        over = await check_account(world, life)
        assert (over.state, over.refunded, over.needs_review) == (state, euros(minor_units), False)
        assert [each.kind for each in over.refunds] == [RefundKind.BY_HAND]
        assert kinds(world)[-2:] == ["payment.captured", "refund.taken_in"]
        assert world.payments.unheard == {}

    story()


@in_a_world
async def test_a_dispute_that_is_older_than_the_news_of_the_payment_is_alerted(world: World) -> None:
    life = world.life()
    order = await life.place(NEEDS_ACTION)
    world.payments.customer_pays(order.order_id)
    world.payments.disputed(order.order_id, DISPUTE)

    await quiet(world, life)

    over = await check_account(world, life)
    assert (over.state, over.needs_review, alerts(world)) == (State.PAID, True, [("payment.disputed", "dp_1")])
    assert kinds(world)[-2:] == ["payment.charged", "payment.disputed"]


@in_a_world
async def test_a_dispute_that_comes_with_the_answer_to_a_refund_is_alerted(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    answered = asyncio.Event()
    world.payments.faults.plan("refund", Held(answered))
    asking = asyncio.create_task(refund(life, order.order_id, Wanted(amount=euros(100))))
    await asyncio.sleep(0.05)
    world.payments.disputed(order.order_id, DISPUTE)
    answered.set()
    await asking
    world.payments.faults.plan("refund", Held(answered))
    await refund(life, order.order_id, Wanted(amount=euros(50)), key="another")

    await quiet(world, life)

    over = await check_account(world, life)
    assert (over.refunded, over.needs_review, alerts(world)) == (euros(150), True, [("payment.disputed", "dp_1")])
    assert kinds(world).count("payment.disputed") == 1


@in_a_world
async def test_a_shipment_whose_money_was_disputed_at_once_is_shipped_and_alerted(world: World) -> None:
    life = world.life()
    order = await held(world, life)
    world.payments.faults.plan("capture", Lost.ANSWER)
    await ship(life, order.order_id)
    world.payments.disputed(order.order_id, DISPUTE)

    await quiet(world, life)

    over = await check_account(world, life)
    assert (over.state, alerts(world)) == (State.SHIPPED, [("payment.disputed", "dp_1")])


@in_a_world
async def test_a_cancel_that_comes_too_late_takes_in_what_has_happened_since(world: World) -> None:
    life = world.life()
    order = await held(world, life)
    world.payments.customer_pays(order.order_id)
    world.payments.disputed(order.order_id, DISPUTE)

    with pytest.raises(Refusal, match="the order is PAID"):
        await cancel(life, order.order_id)
    await quiet(world, life)

    over = await check_account(world, life)
    assert (over.state, alerts(world)) == (State.PAID, [("payment.disputed", "dp_1")])


def test_it_is_taken_in_wherever_the_process_dies() -> None:
    async def story() -> None:
        point = 0
        while True:
            point += 1
            world, doom = World(LoopClock()), Doom(point)
            await taken_and_given_back(world, world.life(), 75)
            world.payments.disputed(stored(world).order_id, DISPUTE)
            await quiet(world, world.life(doom), 10.0)

            second = world.life()
            await second.orders.release_own()
            await quiet(world, second)

            over = await check_account(world, second)
            assert (over.state, over.refunded, alerts(world)) == (
                State.PAID,
                euros(75),
                [("payment.disputed", "dp_1")],
            )
            if len(doom.passed) < point:
                break
        assert point > 5

    in_virtual_time(story())


def test_what_turns_out_to_be_nothing_new_ends_without_a_word() -> None:
    order = SITUATIONS["PAID, catching up"]
    assert order.payment is not None

    over = after_catching_up(order, Done(order.payment), NOW, 1.0)

    assert (over.kind, over.order.stage, over.order.version) == ("", Stage.SETTLED, order.version)
    assert not over.rests
