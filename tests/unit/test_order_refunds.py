"""Refunds of paid orders: failed, returned by the bank, made by hand, racing each other and shipments."""

import asyncio

import pytest

from kernel.errors import Reason, Refusal
from order_svc.domain.giving_back import Wanted
from order_svc.domain.order import State
from order_svc.domain.payment import RefundState
from tests.fakes.order_account import check_account
from tests.fakes.order_asking import (
    DAY,
    alerts,
    annotate,
    deliver,
    quiet,
    refund,
    ship,
    stored,
)
from tests.fakes.order_faults import Lost, Slow
from tests.fakes.order_samples import euros
from tests.fakes.order_scenarios import MUGS, paid
from tests.fakes.order_world import World, in_a_world


@in_a_world
async def test_a_refund_that_fails_at_once_is_shown_alerted_and_sent_again_when_a_person_says_so(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    world.payments.closed.add(order.order_id)

    failed = await refund(life, order.order_id, Wanted(amount=euros(100)))

    assert [each.state for each in failed.refunds] == [RefundState.FAILED]
    assert (failed.needs_review, failed.state, alerts(world)) == (True, State.PAID, [("refund.failed", "1")])
    world.payments.closed.clear()
    await life.retry(order.order_id)
    await quiet(world, life)
    over = await check_account(world, life)
    assert (over.refunded, over.needs_review) == (euros(100), False)
    assert world.payments.refund_keys == [f"{order.order_id}:refund:1", f"{order.order_id}:refund:1:2"]


@in_a_world
async def test_a_refund_that_the_bank_sends_back_days_later_is_shown_and_sent_again(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    await refund(life, order.order_id, Wanted(amount=euros(100)))
    await quiet(world, life)
    await world.clock.sleep(3 * DAY)
    world.payments.bank_returns(order.order_id)
    await quiet(world, life)
    returned = stored(world)

    await life.retry(order.order_id)
    await quiet(world, life)

    assert (returned.refunded, returned.needs_review, returned.state) == (euros(0), True, State.PAID)
    assert [each.state for each in returned.refunds] == [RefundState.FAILED]
    assert (await check_account(world, life)).refunded == euros(100)


@in_a_world
async def test_no_mail_tells_of_a_refund_that_failed_before_it_went_out_until_it_is_made(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    await quiet(world, life)
    world.mails.faults.plan("send", *[Lost.REQUEST] * 3)
    await refund(life, order.order_id, Wanted(amount=euros(100)))
    world.payments.bank_returns(order.order_id)
    await quiet(world, life)
    mail = f"{order.order_id}:send_refunded:1"
    told_before = list(world.mails.notifications)

    # Stripe is away when the refund is sent again: meanwhile nobody reads of it either.
    world.payments.faults.plan("refund", *[Lost.REQUEST] * 3)
    await life.retry(order.order_id)
    told_meanwhile = list(world.mails.notifications)
    await quiet(world, life, 300.0)

    assert mail not in [*told_before, *told_meanwhile]
    assert mail in world.mails.notifications
    assert (await check_account(world, life)).refunded == euros(100)


@in_a_world
async def test_a_refund_that_is_refused_for_good_leaves_the_others_alone(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    world.payments.faults.plan("refund", Refusal(Reason.PROVIDER_REFUSED, "insufficient balance"))

    first = await refund(life, order.order_id, Wanted(amount=euros(100)), key="one")
    second = await refund(life, order.order_id, Wanted(amount=euros(200)), key="two")

    assert (first.needs_review, first.refunds[0].state) == (True, RefundState.FAILED)
    assert [each.state for each in second.refunds] == [RefundState.FAILED, RefundState.SUCCEEDED]
    await quiet(world, life)
    assert (await check_account(world, life)).refunded == euros(200)


@in_a_world
async def test_money_given_back_by_hand_is_a_refund_with_its_papers(world: World) -> None:
    life = world.life()
    order = await paid(world, life)

    world.payments.adopts(order.order_id, euros(75))
    await quiet(world, life)
    partly = await check_account(world, life)
    world.payments.adopts(order.order_id, euros(7000))
    await quiet(world, life)

    over = await check_account(world, life)
    assert (partly.state, partly.refunded, partly.needs_review) == (State.PAID, euros(75), False)
    assert (over.state, [each.kind for each in over.refunds]) == (State.REFUNDED, ["BY_HAND", "BY_HAND"])


@in_a_world
async def test_money_given_back_by_hand_while_we_give_some_back_is_counted_once(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    world.payments.faults.plan("refund", Lost.REQUEST, Lost.ANSWER)
    asking = asyncio.create_task(refund(life, order.order_id, Wanted(amount=euros(100))))
    await asyncio.sleep(0.05)
    world.payments.adopts(order.order_id, euros(50))

    await quiet(world, life)
    await asking

    over = await check_account(world, life)
    assert (over.refunded, sorted(each.kind for each in over.refunds)) == (euros(150), ["ASKED", "BY_HAND"])


@in_a_world
async def test_refunds_that_race_give_back_no_more_than_there_is(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    wanted = [Wanted(amount=euros(3000)), Wanted(), Wanted(skus=("hat",)), Wanted(amount=euros(7075))]

    await asyncio.gather(
        *(refund(life, order.order_id, each, key=f"k-{number}") for number, each in enumerate(wanted)),
        return_exceptions=True,
    )
    await quiet(world, life)

    over = await check_account(world, life)
    assert (over.state, over.refunded) == (State.REFUNDED, euros(7075))


@in_a_world
async def test_a_shipment_and_a_refund_at_once_are_both_there(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    world.payments.faults.plan("refund", Slow(2.0))

    await asyncio.gather(
        refund(life, order.order_id, Wanted(amount=euros(75))),
        ship(life, order.order_id, MUGS),
        annotate(life, order.order_id),
    )
    await quiet(world, life)

    over = await check_account(world, life)
    assert (over.refunded, len(over.shipments), over.note, over.state) == (euros(75), 1, "new", State.PROCESSING)


@in_a_world
async def test_an_order_that_is_refunded_while_it_is_on_its_way_can_still_arrive_nowhere(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    await ship(life, order.order_id)
    await refund(life, order.order_id)

    with pytest.raises(Refusal) as refused:
        await deliver(life, order.order_id)

    assert refused.value.metadata["state"] == "REFUNDED"
    await quiet(world, life)
    await check_account(world, life)


@in_a_world
async def test_an_order_whose_unshipped_articles_are_given_back_is_on_its_way(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    await ship(life, order.order_id, MUGS)
    assert (await deliver(life, order.order_id, 1, key="first")).state is State.PROCESSING

    given_back = await refund(life, order.order_id, Wanted(skus=("hat",)))
    arrived = await deliver(life, order.order_id)

    assert (given_back.state, arrived.state) == (State.SHIPPED, State.DELIVERED)
