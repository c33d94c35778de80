"""Orders that wait for their customer: 3-D Secure passed, failed, forgotten, and the money of each."""

import asyncio
from datetime import timedelta

from kernel.errors import Reason, Refusal
from order_svc.domain.order import Order, State
from order_svc.domain.payment import PaymentState
from tests.fakes.order_faults import Lost
from tests.fakes.order_payments import NEEDS_ACTION
from tests.fakes.order_promises import check_promises
from tests.fakes.order_world import ACTION_SECONDS, Life, World, in_a_world


async def waiting_order(world: World) -> tuple[Life, Order]:
    """Return an order that waits for its customer, in a life that sweeps."""
    life = world.life()
    life.work.start(_sweeping(life), "sweeper")
    order = await life.place(NEEDS_ACTION)
    assert order.state is State.PAYMENT_ACTION_REQUIRED
    return life, order


async def _sweeping(life: Life) -> None:
    """Sweep for longer than any customer may take."""
    try:
        async with asyncio.timeout(ACTION_SECONDS * 2):
            await life.sweeper.run()
    except TimeoutError:
        pass


@in_a_world
async def test_a_customer_who_pays_has_paid_within_half_a_minute(world: World) -> None:
    life, order = await waiting_order(world)
    await world.clock.sleep(600)

    world.payments.customer_pays(order.order_id)
    await world.clock.sleep(32)

    (paid,) = await check_promises(world, life)
    assert (paid.state, paid.expires_at) == (State.PAID, None)


@in_a_world
async def test_an_order_whose_customer_does_nothing_fails_and_its_payment_is_given_up(world: World) -> None:
    life, order = await waiting_order(world)

    await world.clock.sleep(ACTION_SECONDS + 5)

    (failed,) = await check_promises(world, life)
    assert failed.failure is not None
    assert (failed.state, failed.failure.decline_code) == (State.FAILED, "authentication_expired")
    assert failed.updated_at - failed.created_at < timedelta(seconds=ACTION_SECONDS + 2)
    assert world.payments.payments[order.order_id].state is PaymentState.CANCELLED


@in_a_world
async def test_money_that_arrives_while_the_payment_is_given_up_goes_back(world: World) -> None:
    life, order = await waiting_order(world)
    world.payments.faults.plan("cancel", Lost.REQUEST, Lost.REQUEST, Lost.REQUEST)
    await world.clock.sleep(ACTION_SECONDS + 0.5)

    world.payments.customer_pays(order.order_id)
    await world.clock.sleep(60)

    (failed,) = await check_promises(world, life)
    assert failed.state is State.FAILED
    assert failed.refunded == failed.total
    assert len(world.payments.refunds) == 1


@in_a_world
async def test_a_refund_whose_answers_are_lost_is_made_once(world: World) -> None:
    life, order = await waiting_order(world)
    world.payments.faults.plan("cancel", *[Lost.REQUEST] * 3)
    world.payments.faults.plan("refund", *[Lost.ANSWER] * 5)
    await world.clock.sleep(ACTION_SECONDS + 0.5)
    world.payments.customer_pays(order.order_id)

    await world.clock.sleep(120)

    await check_promises(world, life)
    assert len(world.payments.refunds) == 1


@in_a_world
async def test_a_refund_that_is_refused_for_good_waits_for_a_person_and_is_never_called_a_success(world: World) -> None:
    life, order = await waiting_order(world)
    world.payments.faults.plan("cancel", *[Lost.REQUEST] * 3)
    world.payments.faults.plan("refund", Refusal(Reason.PROVIDER_REFUSED, "insufficient balance"))
    await world.clock.sleep(ACTION_SECONDS + 0.5)
    world.payments.customer_pays(order.order_id)

    await world.clock.sleep(120)

    story = await life.read.explain(order.order_id)
    assert (story.order.needs_review, story.order.state, story.order.open) == (True, State.PENDING, False)
    assert (await life.place(NEEDS_ACTION, seconds=600)).needs_review
    assert [each.version async for each in life.read.watch(order.order_id, 0)] == [story.order.version]
    assert story.events[-1].kind == "refund.refused"
    assert story.wake_at is None


@in_a_world
async def test_a_customer_who_fails_hears_why_and_cannot_pay_any_more(world: World) -> None:
    life, order = await waiting_order(world)

    world.payments.customer_fails(order.order_id)
    await world.clock.sleep(32)
    world.payments.customer_pays(order.order_id)

    (failed,) = await check_promises(world, life)
    assert failed.failure is not None
    assert failed.failure.decline_code == "authentication_failed"
    assert world.payments.captures == []


@in_a_world
async def test_polling_a_patient_customer_leaves_no_trace_in_the_journal(world: World) -> None:
    life, order = await waiting_order(world)

    await world.clock.sleep(ACTION_SECONDS - 60)

    story = await life.read.explain(order.order_id)
    assert len(world.payments.reads) > 50
    assert [event.kind for event in story.events if event.cause != "outbox"] == [
        "order.placed",
        "tax.quoted",
        "payment.action_required",
    ]
    assert story.order.version == 3


@in_a_world
async def test_the_customers_secret_is_gone_once_the_order_is_settled(world: World) -> None:
    life, order = await waiting_order(world)

    world.payments.customer_pays(order.order_id)
    await world.clock.sleep(5)

    paid = await life.read.get(order.order_id)
    assert paid.payment is not None
    assert paid.payment.client_secret == ""
