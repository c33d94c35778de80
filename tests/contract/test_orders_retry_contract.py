"""Taking orders up again and marking them for review: in the fake in memory and in the store on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from order_svc.app.ports import Backlog, Due, Moved, Orders
from order_svc.domain.commands import Command
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.transition import Transition
from tests.fakes.order_moves import CLOCK, IDS, MINUTE, OVER, Replicas, fresh, move, moved, pay, store, told
from tests.fakes.order_samples import a_request, an_event

COMMIT, SEND = TaskKind.COMMIT_TAX, TaskKind.SEND_CONFIRMATION


async def parked(orders: Orders) -> Order:
    order = await store(orders, fresh(Stage.CHARGING))
    return await move(orders, moved(order, needs_review=True, parked=True))


def again(order: Order) -> Transition:
    return moved(order, order.stage, needs_review=False, wake_at=CLOCK.now() - timedelta(seconds=1))


async def take_up(orders: Orders, transition: Transition, tasks: list[Task], key: str = "again") -> bool:
    event = an_event(transition.order, "order.retried")
    return await orders.obey(Command.RETRY, a_request(key), transition, event, tasks=tasks)


async def test_an_order_is_held_until_its_lease_is_over(orders: Orders) -> None:
    held, free = await store(orders, fresh()), await store(orders, fresh(), OVER)

    standings = await orders.standings([held.order_id, free.order_id, IDS.new()])

    assert {each.order.order_id: each.held for each in standings.values()} == {
        held.order_id: True,
        free.order_id: False,
    }


async def test_an_order_that_waits_is_held_by_nobody(orders: Orders) -> None:
    order = await store(orders, fresh())
    wake_at = CLOCK.now() + timedelta(minutes=5)
    order = await move(orders, moved(order, wake_at=wake_at))

    standing = (await orders.standings([order.order_id]))[order.order_id]

    assert (standing.order, standing.held, list(standing.tasks)) == (order, False, [])
    assert standing.wake_at is not None
    assert abs(standing.wake_at - wake_at) < timedelta(seconds=2)


async def test_a_parked_order_waits_for_nothing_and_is_counted(orders: Orders) -> None:
    order = await parked(orders)

    standing = (await orders.standings([order.order_id]))[order.order_id]
    backlog = await orders.backlog()

    assert (standing.wake_at, standing.held) == (None, False)
    assert await orders.due() == Due(orders=False, tasks=False)
    assert backlog.in_review == 1
    assert backlog.oldest_order_seconds > 0


async def test_tasks_that_nobody_holds_are_told_and_those_that_are_done_are_not(orders: Orders) -> None:
    order = await pay(orders)
    assert not (await orders.standings([order.order_id]))[order.order_id].tasks
    await orders.finish_task(Task(order.order_id, COMMIT, 2, 1, done=True, result="doc"), None)
    refused = Task(order.order_id, SEND, 2, 1, last_error="VALIDATION_FAILED")

    await orders.finish_task(refused, None)

    assert list((await orders.standings([order.order_id]))[order.order_id].tasks) == [refused]


async def test_nothing_is_due_before_its_time_and_all_of_it_afterwards(orders: Orders) -> None:
    assert await orders.due() == Due(orders=False, tasks=False)
    await store(orders, fresh())
    await pay(orders)
    assert await orders.due() == Due(orders=False, tasks=False)

    await store(orders, fresh(), OVER)
    assert await orders.due() == Due(orders=True, tasks=False)
    await pay(orders, OVER)
    assert await orders.due() == Due(orders=True, tasks=True)


async def test_an_order_that_is_taken_up_again_is_due_with_its_tasks(orders: Orders) -> None:
    order = await pay(orders)
    await orders.finish_task(Task(order.order_id, COMMIT, 2, 1, last_error="NO"), None)
    task = Task(order.order_id, COMMIT, 3, 1, CLOCK.now() - timedelta(seconds=1), last_error="NO")
    transition = replace(again(order), wake_at=None)

    assert await take_up(orders, transition, [task])

    assert await orders.get(order.order_id) == transition.order
    assert await orders.due() == Due(orders=False, tasks=True)
    ((claimed, of),) = await orders.claim_tasks(10, MINUTE)
    assert (claimed.kind, claimed.version, claimed.last_error, of) == (COMMIT, 4, "NO", transition.order)
    story = await told(orders, order)
    assert story.events[-1].kind == "order.retried"


async def test_a_parked_order_that_is_taken_up_again_is_claimed(orders: Orders) -> None:
    order = await parked(orders)

    assert await take_up(orders, again(order), [])

    (claimed,) = await orders.claim_orders(10, MINUTE)
    assert (claimed.order_id, claimed.needs_review) == (order.order_id, False)


async def test_a_key_takes_up_once(orders: Orders) -> None:
    order = await parked(orders)
    first = again(order)
    assert await take_up(orders, first, [])

    assert not await take_up(orders, again(first.order), [])

    assert await orders.get(order.order_id) == first.order
    assert await orders.find(a_request("again"), Command.RETRY) == ("f" * 64, first.order)
    assert await orders.find(a_request("again")) is None


async def test_of_many_retries_with_one_key_one_is_written(orders: Orders) -> None:
    order = await parked(orders)

    results = await asyncio.gather(*(take_up(orders, again(order), []) for _ in range(10)), return_exceptions=True)

    assert sum(each is True for each in results) == 1
    assert all(isinstance(each, Moved) for each in results if not isinstance(each, bool))


async def test_who_decided_on_an_older_order_or_task_takes_nothing_up(orders: Orders) -> None:
    order = await pay(orders)
    stale = Task(order.order_id, COMMIT, 3, 0, CLOCK.now())
    with pytest.raises(Moved):
        await take_up(orders, replace(again(order), wake_at=None), [stale])
    newer = await move(orders, moved(order, Stage.SETTLED))

    with pytest.raises(Moved):
        await take_up(orders, replace(again(order), wake_at=None), [])

    assert await orders.get(order.order_id) == newer
    assert await orders.find(a_request("again"), Command.RETRY) is None


async def test_a_refused_task_marks_its_order_in_the_same_commit(orders: Orders) -> None:
    order = await pay(orders)
    order = await move(orders, moved(order, Stage.SETTLED))
    refused = Task(order.order_id, SEND, 2, 1, last_error="VALIDATION_FAILED")

    await orders.refuse_task(refused, an_event(order, "mail.refused", version=1, cause="outbox"))

    marked = replace(order, needs_review=True, fence=order.fence + 1)
    story = await told(orders, order)
    assert await orders.get(order.order_id) == marked
    assert an_event(order, "mail.refused", cause="outbox") in story.events
    assert refused in story.tasks
    assert (await orders.backlog()).in_review == 1


async def test_who_decided_on_an_order_before_it_was_marked_does_not_move_it(orders: Orders) -> None:
    order = await pay(orders)
    refused = Task(order.order_id, SEND, 2, 1, last_error="NO")
    await orders.refuse_task(refused, an_event(order, "mail.refused"))

    with pytest.raises(Moved):
        await move(orders, moved(order, Stage.SETTLED))


async def test_who_lost_a_task_cannot_refuse_it(replicas: Replicas) -> None:
    order = await pay(replicas("a", "1"), OVER)
    await replicas("b", "1").claim_tasks(10, MINUTE)

    refused = Task(order.order_id, SEND, 2, 1, last_error="NO")
    await replicas("a", "1").refuse_task(refused, an_event(order, "mail.refused"))

    assert await replicas("a", "1").get(order.order_id) == order


async def test_the_age_of_the_oldest_order_counts_those_that_are_not_over(orders: Orders) -> None:
    assert await orders.backlog() == Backlog(0, 0.0, 0, 0.0)
    now = CLOCK.now()
    old = await store(orders, fresh(created_at=now - timedelta(hours=2)))
    await store(orders, fresh(Stage.AWAITING_CUSTOMER, created_at=now - timedelta(hours=1)))

    assert (await orders.backlog()).oldest_order_seconds == pytest.approx(7200, abs=60)
    await move(orders, moved(old, Stage.SETTLED, state=State.FAILED))
    assert (await orders.backlog()).oldest_order_seconds == pytest.approx(3600, abs=60)
