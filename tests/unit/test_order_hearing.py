"""How news of payments and mails is heard: through outages, defects and pages of news that has to wait."""

import asyncio
import logging
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from kernel.errors import Refusal
from order_svc.app.hearing import MOST_PAGES
from order_svc.app.ports import MailNews
from order_svc.domain.order import Stage, State
from tests.fakes.order_asking import refund, stored
from tests.fakes.order_faults import Lost
from tests.fakes.order_news import NEWS_ON_A_PAGE
from tests.fakes.order_payments import NEEDS_ACTION
from tests.fakes.order_samples import a_request
from tests.fakes.order_scenarios import waiting
from tests.fakes.order_world import World, in_a_world
from tests.fakes.orders_in_memory import FakeOrders, Trouble


def test_the_watcher_outlives_outages_and_defects_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    @in_a_world
    async def story(world: World) -> None:
        orders = FakeOrders(world.database, world.clock, "here", "1")
        life = world.life(orders=orders)
        order = await life.place(NEEDS_ACTION)
        world.payments.faults.plan("news", *[Lost.REQUEST] * 20)
        orders.trouble["standings"].extend([Trouble.AWAY] * 5)
        orders.trouble["move"].extend([Trouble.CUT_BEFORE, Trouble.CUT_AFTER])
        world.payments.customer_pays(order.order_id)
        watching = asyncio.create_task(life.news.run())

        await world.clock.sleep(100)
        await life.sweep()

        assert not watching.done()
        assert stored(world).state is State.PAID
        watching.cancel()

    with caplog.at_level(logging.WARNING):
        story()

    assert [record.message for record in caplog.records] == ["news.paused"]


def test_no_defect_ends_the_watching(caplog: pytest.LogCaptureFixture) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life = world.life()
        order = await life.place(NEEDS_ACTION)
        world.payments.customer_pays(order.order_id)
        heard, defects = life.telling.listening, [ZeroDivisionError("a defect")]

        def listening() -> AbstractContextManager[None]:
            if defects:
                raise defects.pop()
            return heard()

        life.telling.listening = listening  # type: ignore[method-assign, assignment]  # a defect, planted
        watching = asyncio.create_task(life.news.run())
        await world.clock.sleep(5)
        watching.cancel()

        assert world.payments.unheard == {}

    with caplog.at_level(logging.WARNING):
        story()

    assert [record.message for record in caplog.records] == ["news.defect"]


def test_a_defect_with_one_order_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life = world.life()
        orders = [(await life.place(NEEDS_ACTION, request=a_request(f"k-{number}"))).order_id for number in range(2)]
        for order_id in orders:
            world.payments.customer_pays(order_id)
        broken = replace(world.payments.payments[orders[0]], version=None)  # type: ignore[arg-type]  # a defect
        world.payments.payments[orders[0]] = broken

        assert await life.news.look()
        await life.sweep()

        assert world.database.orders[orders[1]].state is State.PAID
        assert list(world.payments.unheard) == orders[:1]

    with caplog.at_level(logging.ERROR):
        story()

    assert [record.message for record in caplog.records] == ["news.defect"]


@in_a_world
async def test_news_that_cannot_be_taken_in_yet_hides_no_other(world: World) -> None:
    life = world.life()
    stuck = [(await life.place(request=a_request(f"k-{number}"))).order_id for number in range(2 * NEWS_ON_A_PAGE)]
    world.payments.faults.plan("refund", *[Lost.REQUEST] * 100)
    for order_id in stuck:
        await refund(life, order_id, key=f"refund {order_id}")
        world.payments.tell(order_id)
    await world.clock.sleep(0.01)  # ids sort by the millisecond
    paying = await life.place(NEEDS_ACTION, request=a_request("paying"))
    world.payments.customer_pays(paying.order_id)
    assert {world.database.orders[each].stage for each in stuck} == {Stage.REFUNDING}
    assert max(world.payments.unheard) == paying.order_id, "it is behind the others"

    assert await life.news.look()

    assert sorted(world.payments.unheard) == sorted(stuck)


def test_a_defect_with_one_bounce_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    @in_a_world
    async def story(world: World) -> None:
        life = world.life()
        order = await life.place()
        broken = MailNews(order.order_id, "n-1", 1, "order_confirmation", None, "")  # type: ignore[arg-type]  # a defect
        world.mails.unheard += [broken, MailNews(order.order_id, "n-2", 1, "order_confirmation", "bounced", "")]

        await life.mail_news.look()

        assert world.mails.unheard == [broken]

    with caplog.at_level(logging.ERROR):
        story()

    assert [record.message for record in caplog.records] == ["mail_news.defect"]


@in_a_world
async def test_bounces_that_cannot_be_heard_yet_hide_no_other(world: World) -> None:
    life = world.life()
    unpaid = await waiting(world, life)
    order = await life.place(request=a_request("another"))
    hidden = MOST_PAGES * NEWS_ON_A_PAGE
    for number in range(hidden):
        name = f"n-{number:03}"
        world.mails.unheard.append(MailNews(unpaid.order_id, name, 1, "payment_action_required", "bounced", ""))
    world.mails.unheard.append(MailNews(order.order_id, "n-999", 1, "order_confirmation", "bounced", ""))

    await life.mail_news.look()
    first = len(world.mails.unheard)
    await life.mail_news.look()

    assert (first, len(world.mails.unheard)) == (hidden + 1, hidden)
    (alert,) = world.database.orders[order.order_id].alerts
    assert alert.subject == "n-999"


@in_a_world
async def test_the_place_among_bounces_is_kept_over_an_outage_and_given_up_when_it_is_refused(world: World) -> None:
    life = world.life()
    unpaid = await waiting(world, life)
    order = await life.place(request=a_request("another"))
    for number in range(MOST_PAGES * NEWS_ON_A_PAGE):
        name = f"n-{number:03}"
        world.mails.unheard.append(MailNews(unpaid.order_id, name, 1, "payment_action_required", "bounced", ""))
    await life.mail_news.look()
    first = MailNews(order.order_id, "n-0", 1, "order_confirmation", "bounced", "")
    last = MailNews(order.order_id, "n-999", 1, "order_confirmation", "bounced", "")
    world.mails.unheard += [first, last]

    world.mails.faults.plan("mail_news", Lost.REQUEST)
    for _ in range(2):
        await life.mail_news.look()
    assert first in world.mails.unheard
    assert last not in world.mails.unheard

    world.mails.unheard.remove(first)
    await life.mail_news.look()
    world.mails.unheard.append(first)
    world.mails.faults.plan("mail_news", Refusal.of_field("page_token", "is not a token of ours"))
    for _ in range(2):
        await life.mail_news.look()
    assert first not in world.mails.unheard


@in_a_world
async def test_a_page_that_cannot_be_taken_in_does_not_hide_the_next(world: World) -> None:
    orders = FakeOrders(world.database, world.clock, "here", "1")
    life = world.life(orders=orders)
    order = await life.place()
    names = [f"n-{number}" for number in range(NEWS_ON_A_PAGE + 1)]
    world.mails.unheard += [MailNews(order.order_id, each, 1, "order_shipped", "bounced", "") for each in names]
    orders.trouble["standings"].append(Trouble.AWAY)

    with pytest.raises(Refusal):
        await life.mail_news.look()
    await life.mail_news.look()
    assert [each.notification_id for each in world.mails.unheard] == names[:-1]

    for _ in names[:-1]:  # all are of one order, which moves with each
        await life.mail_news.look()
    assert world.mails.unheard == []
