"""What a person has to look at, and what follows when they say: go on."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.errors import Reason, Refusal
from kernel.outcome import Done
from order_svc.domain.draft import Draft
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.retry import Standing, after_retry
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.tax import Tax
from tests.fakes.order_faults import Lost
from tests.fakes.order_payments import NEEDS_ACTION
from tests.fakes.order_promises import check_promises
from tests.fakes.order_samples import ORDER_ID, a_draft, a_request, a_tax, an_order, euros
from tests.fakes.order_stages import CHARGING, LATER, REFUNDING
from tests.fakes.order_world import ACTION_SECONDS, Crash, Doom, Life, World, in_a_world
from tests.fakes.orders_in_memory import FakeOrders, Trouble
from tests.fakes.virtual_time import LoopClock, in_virtual_time

SOON = LATER + timedelta(seconds=10)
PAID = an_order(Stage.SETTLED, state=State.PAID)
REFUSED = Task(ORDER_ID, TaskKind.COMMIT_TAX, 3, 1, last_error="NO")
WAITING = Task(ORDER_ID, TaskKind.SEND_CONFIRMATION, 5, 9, SOON, last_error="timeout")
DUE = replace(WAITING, due_at=LATER)

NOTHING = {
    "paid": Standing(PAID, None, held=False, tasks=()),
    "under way": Standing(CHARGING, SOON, held=True, tasks=()),
    "under way again, a failed refund": Standing(replace(REFUNDING, needs_review=True), SOON, held=True, tasks=()),
    "due already": Standing(CHARGING, LATER, held=False, tasks=()),
    "a task due already": Standing(PAID, None, held=False, tasks=(DUE,)),
}
TAKEN_UP = {
    "waits for its next try": (Standing(CHARGING, SOON, held=False, tasks=()), []),
    "parked": (Standing(replace(CHARGING, needs_review=True, tries=7), None, held=False, tasks=()), []),
    "refund failed": (Standing(replace(REFUNDING, needs_review=True), SOON, held=False, tasks=()), []),
    "mail refused": (Standing(replace(PAID, needs_review=True), None, held=False, tasks=(REFUSED, DUE)), [REFUSED]),
    "mail waits": (Standing(PAID, None, held=False, tasks=(WAITING,)), [WAITING]),
    "money given back by hand, seen": (Standing(replace(PAID, needs_review=True), None, held=False, tasks=()), []),
}


@pytest.mark.parametrize("standing", NOTHING.values(), ids=NOTHING.keys())
def test_an_order_with_nothing_to_do_stays_as_it_is(standing: Standing) -> None:
    assert after_retry(standing, LATER) is None


@pytest.mark.parametrize(("standing", "tasks"), TAKEN_UP.values(), ids=TAKEN_UP.keys())
def test_an_order_is_taken_up_where_it_was_left(standing: Standing, tasks: list[Task]) -> None:
    taken_up = after_retry(standing, LATER)

    assert taken_up is not None
    transition, again = taken_up
    before, order = standing.order, transition.order
    assert transition.kind == "order.retried"
    assert order == replace(
        before, needs_review=False, tries=0, version=before.version + 1, fence=before.fence + 1, updated_at=LATER
    )
    assert transition.wake_at == (None if before.stage is Stage.SETTLED else LATER)
    assert list(again) == [replace(task, version=task.version + 1, due_at=LATER) for task in tasks]


def stored(world: World) -> Order:
    (order,) = world.database.orders.values()
    return order


async def left(life: Life, world: World, seconds: float) -> None:
    """Let the world go on for a while."""
    for _ in range(10):
        await life.sweep()
        await world.clock.sleep(seconds / 10)


@in_a_world
async def test_a_provider_that_contradicts_parks_the_order_and_the_caller_is_told_at_once(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", Refusal(Reason.PROVIDER_CONTRADICTS, "another amount"))
    began = world.clock.monotonic()

    order = await life.place(seconds=10)

    assert (order.state, order.needs_review) == (State.PENDING, True)
    assert world.clock.monotonic() - began < 1
    assert life.telling.ends == []
    await left(life, world, 86_400)
    assert stored(world) == order
    assert world.payments.charges == 1

    again = await life.retry(order.order_id)
    assert (again.needs_review, again.version) == (False, order.version + 1)
    await life.sweep()
    await check_promises(world, life)
    assert stored(world).state is State.PAID


@in_a_world
async def test_a_tax_that_cannot_be_is_parked_and_charged_to_nobody(world: World) -> None:
    life = world.life()
    wrong = replace(a_tax(a_draft()), amount=euros(-1))

    async def quote(_: Draft) -> Done[Tax]:
        return Done(wrong)

    world.taxes.quote = quote  # type: ignore[method-assign, assignment]  # a tax service with a defect
    order = await life.place()

    assert (order.state, order.needs_review, order.tax) == (State.PENDING, True, None)
    assert world.payments.charges == 0


@in_a_world
async def test_a_refused_refund_waits_for_a_person_and_is_asked_for_under_the_same_key(world: World) -> None:
    life = world.life()
    order = await life.place(NEEDS_ACTION)
    world.payments.customer_pays(order.order_id)
    world.payments.faults.plan("read", Refusal(Reason.PROVIDER_REFUSED, "no"))
    world.payments.faults.plan("refund", Refusal(Reason.ILLEGAL_STATE, "not now"))
    await left(life, world, 600)
    assert (stored(world).stage, stored(world).needs_review) == (Stage.UNDOING, True)

    await life.retry(order.order_id)
    await left(life, world, 10)

    await check_promises(world, life)
    assert world.payments.refund_keys == [f"{order.order_id}:undo"]


@in_a_world
async def test_a_refund_that_failed_is_sent_again_as_soon_as_a_person_says_so(world: World) -> None:
    life = world.life()
    order = await life.place(NEEDS_ACTION)
    world.payments.customer_pays(order.order_id)
    world.payments.closed.add(order.order_id)
    world.payments.faults.plan("read", Refusal(Reason.PROVIDER_REFUSED, "no"))
    await left(life, world, 600)
    assert (stored(world).state, stored(world).needs_review) == (State.FAILED, True)
    world.payments.closed.clear()

    await life.retry(order.order_id)
    await life.retry(order.order_id)
    await left(life, world, 10)

    await check_promises(world, life)
    assert world.payments.refund_keys == [f"{order.order_id}:undo", f"{order.order_id}:undo:2"]


@in_a_world
async def test_a_task_that_is_refused_is_shown_and_done_when_a_person_says_so(world: World) -> None:
    life = world.life()
    world.mails.faults.plan("send", Refusal(Reason.VALIDATION_FAILED, "no such recipient"))
    order = await life.place()
    await life.work.idle()
    story = await life.read.explain(order.order_id)
    assert (story.order.state, story.order.needs_review, story.order.version) == (State.PAID, True, order.version)
    assert [event.kind for event in story.events if event.cause == "outbox"].count("mail.refused") == 1

    await life.retry(order.order_id)
    await left(life, world, 10)

    await check_promises(world, life)
    assert len(world.mails.asked) == len(world.taxes.commits) == 1


@in_a_world
async def test_a_busy_receiver_is_no_reason_to_ask_a_person(world: World) -> None:
    life = world.life()
    world.mails.faults.plan("send", Refusal(Reason.OVERLOADED, "busy", retry_after=3.0))
    await life.place()
    await life.work.idle()

    await left(life, world, 10)

    await check_promises(world, life)


@in_a_world
async def test_a_retry_wakes_the_sweeper(world: World) -> None:
    life = world.life()
    world.payments.faults.plan("charge", *[Lost.REQUEST] * 12)
    await life.place(seconds=0.1)
    await left(life, world, 120)
    life.bell.hush()

    await life.retry(stored(world).order_id)

    began = world.clock.monotonic()
    await life.bell.wait(60)
    assert world.clock.monotonic() == began


@in_a_world
async def test_an_order_with_nothing_to_do_is_answered_as_it_is(world: World) -> None:
    life = world.life()
    order = await life.place()
    await life.work.idle()
    before = stored(world)

    assert await life.retry(order.order_id) == before
    assert stored(world) == before


@in_a_world
async def test_a_key_that_found_nothing_to_do_takes_up_what_has_come_since(world: World) -> None:
    life = world.life()
    order = await life.place()
    await life.work.idle()
    await life.retry(order.order_id)
    world.payments.refunded_by_hand(order.order_id, euros(100))
    await life.news.look()
    assert stored(world).needs_review

    again = await life.retry(order.order_id)

    assert not again.needs_review


@in_a_world
async def test_an_unknown_order_and_a_key_of_another_request_are_refused(world: World) -> None:
    life = world.life()
    with pytest.raises(Refusal) as unknown:
        await life.retry(ORDER_ID)
    world.payments.faults.plan("charge", Refusal(Reason.PROVIDER_CONTRADICTS, "another amount"))
    order = await life.place()
    await life.retry(order.order_id)
    with pytest.raises(Refusal) as reused:
        await life.cases.retry(order.order_id, a_request("again", "other"))

    assert unknown.value.reason is Reason.ORDER_NOT_FOUND
    assert reused.value.reason is Reason.REQUEST_ID_REUSED


@in_a_world
async def test_a_retry_whose_commit_is_in_doubt_is_made_once(world: World) -> None:
    orders = FakeOrders(world.database, world.clock, "here", "1")
    life = world.life(orders=orders)
    world.payments.faults.plan("charge", Refusal(Reason.PROVIDER_CONTRADICTS, "another amount"))
    order = await life.place()
    orders.trouble["obey"].extend([Trouble.CUT_BEFORE, Trouble.CUT_AFTER])

    again = await life.retry(order.order_id)

    assert (again.needs_review, again.version) == (False, order.version + 1)


@in_a_world
async def test_a_retry_that_is_always_overtaken_says_so(world: World) -> None:
    orders = FakeOrders(world.database, world.clock, "here", "1")
    life = world.life(orders=orders)
    world.payments.faults.plan("charge", Refusal(Reason.PROVIDER_CONTRADICTS, "another amount"))
    order = await life.place()
    orders.trouble["obey"].extend([Trouble.CUT_BEFORE] * 10)

    with pytest.raises(Refusal) as refused:
        await life.retry(order.order_id)

    assert refused.value.reason is Reason.UNAVAILABLE


def test_a_retry_survives_a_crash_at_every_point() -> None:
    async def story() -> None:
        point = 0
        while True:
            point += 1
            world = World(LoopClock())
            first = world.life()
            order = await first.place(NEEDS_ACTION)
            world.payments.customer_pays(order.order_id)
            world.payments.closed.add(order.order_id)
            world.payments.faults.plan("read", Refusal(Reason.PROVIDER_REFUSED, "no"))
            await left(first, world, ACTION_SECONDS)
            world.payments.closed.clear()
            doom = Doom(point)
            dying = world.life(doom)
            with suppress(Crash):
                await dying.retry(order.order_id)
                await dying.sweep()
            await dying.work.idle()

            second = world.life()
            await second.orders.release_own()
            await second.retry(order.order_id)
            await left(second, world, 10)

            await check_promises(world, second)
            assert world.payments.refund_keys == [f"{order.order_id}:undo", f"{order.order_id}:undo:2"]
            if len(doom.passed) < point:
                break

    in_virtual_time(story())


def test_retries_of_orders_that_failed_together_are_spread() -> None:
    @in_a_world
    async def story(world: World) -> None:
        lucks = iter([0.0, 1.0] * 100)
        world.luck = lambda: next(lucks)
        life = world.life()
        world.payments.faults.plan("charge", *[Lost.REQUEST] * 2)
        for number in range(2):
            await life.place(request=a_request(f"k-{number}"), seconds=0.01)

        wakes = {row.due for row in world.database.order_rows.values()}
        assert len(wakes) == 2
        await left(life, world, 10)

    story()
