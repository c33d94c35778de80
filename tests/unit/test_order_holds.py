"""Money that is held, and cards that are declined: what follows, and who is told."""

from dataclasses import replace

import pytest

from kernel.errors import Refusal
from order_svc.domain.order import State
from tests.fakes.order_account import check_account
from tests.fakes.order_asking import (
    DAY,
    alerts,
    confirm,
    looked_after,
    process,
    quiet,
    ship,
    stored,
)
from tests.fakes.order_payments import DECLINED, HOLD, UNKNOWN_METHOD
from tests.fakes.order_samples import VISA, a_draft
from tests.fakes.order_scenarios import declined, held
from tests.fakes.order_world import ACTION_SECONDS, World, in_a_world


@in_a_world
async def test_a_person_is_told_a_day_before_a_hold_lapses_and_once(world: World) -> None:
    life = world.life()
    order = await held(world, life)

    await looked_after(world, life, HOLD.total_seconds() - DAY - 60)
    before = alerts(world)
    await looked_after(world, life, 120)
    await looked_after(world, life, DAY / 2)

    assert before == []
    assert [kind for kind, _ in alerts(world)] == ["hold.expiring"]
    assert (stored(world).needs_review, stored(world).state) == (True, State.AUTHORIZED)
    assert (await ship(life, order.order_id)).state is State.SHIPPED


@pytest.mark.parametrize("processed", [False, True])
def test_an_order_whose_hold_lapses_fails_and_says_do_not_ship(processed: bool) -> None:  # noqa: FBT001  (a parameter)
    @in_a_world
    async def story(world: World) -> None:
        life = world.life()
        order = await held(world, life)
        if processed:
            await process(life, order.order_id)
        world.payments.hold_lapses(order.order_id)

        await quiet(world, life)

        over = await check_account(world, life)
        assert over.failure is not None
        assert (over.state, over.failure.decline_code) == (State.FAILED, "authorization_expired")
        assert f"{order.order_id}:send_payment_failed" in world.mails.asked
        with pytest.raises(Refusal) as refused:
            await ship(life, order.order_id)
        assert refused.value.metadata["state"] == "FAILED"

    story()


@in_a_world
async def test_a_hold_that_lapses_just_when_it_is_to_be_taken_refuses_the_shipment(world: World) -> None:
    life = world.life()
    order = await held(world, life)
    world.payments.hold_lapses(order.order_id)

    with pytest.raises(Refusal) as refused:
        await ship(life, order.order_id)
    await quiet(world, life)

    over = await check_account(world, life)
    assert "Do not ship" in refused.value.message
    assert (over.state, over.shipments) == (State.FAILED, ())


@in_a_world
async def test_another_card_may_be_declined_as_well_and_the_next_is_taken(world: World) -> None:
    life = world.life()
    order = await declined(world, life)

    again = await confirm(life, order.order_id, DECLINED, key="second")
    refused = await confirm(life, order.order_id, UNKNOWN_METHOD, key="third")
    over = await confirm(life, order.order_id, VISA, key="fourth")

    assert (again.state, again.attempt) == (State.PAYMENT_ACTION_REQUIRED, 2)
    assert refused.state is State.PAYMENT_ACTION_REQUIRED
    assert (over.state, over.attempt) == (State.PAID, 4)
    await quiet(world, life, 400.0)
    await check_account(world, life)
    assert not any("payment_failed" in request_id for request_id in world.mails.asked)


@in_a_world
async def test_who_brings_no_other_card_is_reminded_and_then_given_up(world: World) -> None:
    life = world.life()
    order = await declined(world, life)

    await looked_after(world, life, 301)
    reminded = list(world.mails.asked)
    await looked_after(world, life, ACTION_SECONDS)

    over = await check_account(world, life)
    assert reminded == [f"{order.order_id}:send_payment_failed:1"]
    assert over.failure is not None
    assert (over.state, over.failure.decline_code) == (State.FAILED, "insufficient_funds")
    assert world.mails.asked[-1] == f"{order.order_id}:send_payment_failed"


@in_a_world
async def test_who_is_not_there_is_written_to_at_once(world: World) -> None:
    life = world.life()
    saved = a_draft(customer=replace(a_draft().customer, provider_customer_id="cus_1"))
    with pytest.raises(Refusal):
        await life.place(DECLINED, draft=saved, off_session=True)
    await life.work.idle()

    assert world.mails.asked == [f"{stored(world).order_id}:send_payment_failed"]
