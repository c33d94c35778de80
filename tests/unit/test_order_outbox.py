"""What follows from being paid: for as long as it takes, once, and never in the way of the order."""

import pytest

from kernel.errors import Reason, Refusal
from order_svc.app.quote import QuoteOrder
from order_svc.domain.order import State
from order_svc.domain.task import TaskKind
from tests.fakes.order_faults import Lost
from tests.fakes.order_ports import FakeTaxes
from tests.fakes.order_promises import check_promises
from tests.fakes.order_samples import a_draft, a_request, a_tax
from tests.fakes.order_world import Life, World, in_a_world
from tests.fakes.virtual_time import in_virtual_time


async def swept(life: Life, world: World, seconds: int) -> None:
    for _ in range(seconds):
        await life.sweep()
        await world.clock.sleep(1.0)


@in_a_world
async def test_an_order_is_paid_however_long_the_mail_service_is_away_and_one_mail_follows(world: World) -> None:
    life = world.life()
    world.mails.faults.plan("send", *[Lost.REQUEST] * 12)

    order = await life.place()
    assert order.state is State.PAID
    await swept(life, world, 600)

    await check_promises(world, life)
    assert len(world.mails.asked) == 1
    story = await life.read.explain(order.order_id)
    mail = next(task for task in story.tasks if task.kind is TaskKind.SEND_CONFIRMATION)
    assert (mail.attempts, mail.last_error) == (13, "")


@in_a_world
async def test_a_task_that_fails_says_why_and_when_it_is_tried_again(world: World) -> None:
    life = world.life()
    world.taxes.faults.plan("commit", Lost.REQUEST)

    order = await life.place()
    await life.work.idle()

    story = await life.read.explain(order.order_id)
    commit = next(task for task in story.tasks if task.kind is TaskKind.COMMIT_TAX)
    assert (commit.done, commit.attempts, commit.last_error) == (False, 1, "request lost")
    assert commit.due_at is not None
    assert commit.due_at > world.clock.now()


@in_a_world
async def test_a_task_that_is_refused_for_good_is_not_tried_again_and_the_order_stays_paid(world: World) -> None:
    life = world.life()
    world.mails.faults.plan("send", Refusal(Reason.VALIDATION_FAILED, "no such recipient"))

    order = await life.place()
    await swept(life, world, 120)

    story = await life.read.explain(order.order_id)
    mail = next(task for task in story.tasks if task.kind is TaskKind.SEND_CONFIRMATION)
    assert (mail.done, mail.attempts, mail.last_error, mail.due_at) == (False, 1, "VALIDATION_FAILED", None)
    assert story.order.state is State.PAID
    assert world.mails.asked == []


@in_a_world
async def test_a_backlog_is_taken_up_whole(world: World) -> None:
    """More orders than one sweep takes, all left behind by a process that died."""
    dead = world.life()
    for number in range(120):
        world.taxes.faults.plan("quote", Lost.REQUEST)
        await dead.place(request=a_request(f"k-{number}"), seconds=0.1)
    await world.clock.sleep(60)

    life = world.life()
    while await life.sweeper.sweep():
        await life.work.idle()
    await life.work.idle()

    assert {order.state for order in world.database.orders.values()} == {State.PAID}
    assert len(world.payments.captures) == 120


def test_a_quote_stores_nothing_and_says_when_it_cannot_be_had() -> None:
    async def story() -> None:
        taxes = FakeTaxes()
        quote = QuoteOrder(taxes)
        assert await quote(a_draft()) == a_tax(a_draft())

        taxes.faults.plan("quote", Lost.REQUEST, Refusal(Reason.ADDRESS_INVALID, "Nowhere."))
        for reason in (Reason.UNAVAILABLE, Reason.ADDRESS_INVALID):
            with pytest.raises(Refusal) as refused:
                await quote(a_draft())
            assert refused.value.reason is reason

    in_virtual_time(story())
