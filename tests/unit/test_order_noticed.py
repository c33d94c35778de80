"""What is noticed of an order, and what meets it while something is under way: disputes, bounces, notes, races."""

import asyncio
from datetime import timedelta

import pytest

from kernel.errors import Reason, Refusal
from order_svc.app.ports import MailNews
from order_svc.domain.giving_back import Wanted
from order_svc.domain.order import Stage, State
from order_svc.domain.payment import Dispute
from tests.fakes.order_account import check_account
from tests.fakes.order_asking import (
    DAY,
    alerts,
    annotate,
    cancel,
    looked_after,
    quiet,
    refund,
    stored,
)
from tests.fakes.order_faults import Held, Lost
from tests.fakes.order_payments import HOLD
from tests.fakes.order_samples import NOW, ORDER_ID, a_request, euros
from tests.fakes.order_scenarios import held, paid, waiting
from tests.fakes.order_world import World, in_a_world

DISPUTE = Dispute("dp_1", "NEEDS_RESPONSE", euros(7075), "fraudulent", NOW + timedelta(days=7), NOW)


@in_a_world
async def test_a_note_that_is_written_while_the_charge_is_under_way_loses_nothing(world: World) -> None:
    life = world.life()
    answered = asyncio.Event()
    world.payments.faults.plan("charge", Held(answered))
    placing = asyncio.create_task(life.place())
    await world.payments.captured.wait()

    noted = await annotate(life, stored(world).order_id)
    answered.set()
    await placing
    await quiet(world, life)

    over = await check_account(world, life)
    assert (noted.state, over.state, over.note) == (State.PENDING, State.PAID, "new")
    assert len(world.payments.captures) == 1


@in_a_world
async def test_a_cancel_that_comes_while_the_charge_is_under_way_finds_out_who_won(world: World) -> None:
    life = world.life()
    answered = asyncio.Event()
    world.payments.faults.plan("charge", Held(answered))
    placing = asyncio.create_task(life.place())
    await world.payments.captured.wait()

    with pytest.raises(Refusal) as refused:
        await cancel(life, stored(world).order_id)
    answered.set()

    assert (refused.value.reason, "RefundOrder" in refused.value.message) == (Reason.ILLEGAL_STATE, True)
    assert (await placing).state is State.PAID
    await quiet(world, life)
    assert (await check_account(world, life)).state is State.PAID


@in_a_world
async def test_two_commands_at_once_are_obeyed_one_after_the_other(world: World) -> None:
    life = world.life()
    order = await waiting(world, life)

    several = await asyncio.gather(*(cancel(life, order.order_id, key=f"k-{number}") for number in range(4)))
    await quiet(world, life)

    assert {each.state for each in several} == {State.CANCELLED}
    over = await check_account(world, life)
    assert [event.kind for event in world.database.events[over.order_id]].count("order.cancelled") == 1


@in_a_world
async def test_a_key_stands_for_one_request_whatever_became_of_the_order(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    once = await refund(life, order.order_id, Wanted(amount=euros(10)))
    again = await refund(life, order.order_id, Wanted(amount=euros(10)))
    with pytest.raises(Refusal) as refused:
        await life.cases.refund(order.order_id, Wanted(), "", a_request("refund", "other"), 1.0)

    assert once.refunds == again.refunds
    assert refused.value.reason is Reason.REQUEST_ID_REUSED


@in_a_world
async def test_a_dispute_is_alerted_followed_and_never_doubled(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    world.payments.disputed(order.order_id, DISPUTE)
    await quiet(world, life)
    opened = stored(world)
    await life.retry(order.order_id)
    lost = Dispute("dp_1", "LOST", euros(7075), "fraudulent", None, NOW)
    world.payments.disputed(order.order_id, lost)

    await quiet(world, life)

    over = stored(world)
    assert (opened.needs_review, opened.state, alerts(world)) == (True, State.PAID, [("payment.disputed", "dp_1")])
    assert (over.needs_review, "lost" in over.alerts[0].message) == (False, True)
    assert over.payment is not None
    assert over.payment.disputes == (lost,)


@pytest.mark.parametrize(("kind", "calls"), [("order_confirmation", True), ("order_shipped", False)])
def test_a_mail_that_bounces_shows_on_its_order(kind: str, calls: bool) -> None:  # noqa: FBT001  (a parameter)
    @in_a_world
    async def story(world: World) -> None:
        life = world.life()
        order = await paid(world, life)
        world.mails.unheard.append(MailNews(order.order_id, "n-1", 3, kind, "bounced", "550 no such mailbox"))

        await quiet(world, life)
        await quiet(world, life)

        assert (alerts(world), stored(world).needs_review) == ([("mail.bounced", "n-1")], calls)
        assert "550 no such mailbox" in stored(world).alerts[0].message
        assert world.mails.unheard == []

    story()


@in_a_world
async def test_a_mail_that_bounces_while_money_is_held_shows_and_the_hold_is_looked_after_on(world: World) -> None:
    life = world.life()
    order = await held(world, life)
    world.mails.unheard.append(MailNews(order.order_id, "n-1", 3, "order_confirmation", "dropped", ""))

    await quiet(world, life)
    await looked_after(world, life, HOLD.total_seconds() - DAY)

    assert [kind for kind, _ in alerts(world)] == ["mail.dropped", "hold.expiring"]


@in_a_world
async def test_a_bounce_that_comes_while_an_order_is_worked_on_is_heard_once_it_rests(world: World) -> None:
    life = world.life()
    order = await paid(world, life)
    world.payments.faults.plan("refund", *[Lost.REQUEST] * 4)
    await life.cases.refund(order.order_id, Wanted(), "", a_request("refund"), 0.01)
    world.mails.unheard.append(MailNews(order.order_id, "n-1", 3, "order_confirmation", "bounced", ""))

    await life.mail_news.look()
    meanwhile = (stored(world).stage, alerts(world))
    await quiet(world, life, 120.0)

    assert meanwhile == (Stage.REFUNDING, [])
    assert alerts(world) == [("mail.bounced", "n-1")]
    assert stored(world).state is State.REFUNDED


@in_a_world
async def test_a_bounced_mail_of_nobodys_order_is_let_go(world: World) -> None:
    life = world.life()
    await paid(world, life)
    world.mails.unheard.append(MailNews(ORDER_ID, "n-1", 1, "order_shipped", "bounced", ""))

    await life.mail_news.look()

    assert world.mails.unheard == []
