"""Who may work on what: leases, claims and tasks, in the fake in memory and in the store on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from order_svc.app.ports import Backlog, Moved, Orders
from order_svc.domain.order import Stage, State
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.tax import Recorded
from tests.fakes.order_moves import CLOCK, MINUTE, OVER, Replicas, fresh, move, moved, pay, store, told
from tests.fakes.order_samples import an_event, euros


async def test_nobody_claims_an_order_that_somebody_holds(replicas: Replicas) -> None:
    await store(replicas("a", "1"), fresh())

    assert await replicas("b", "1").claim_orders(10, MINUTE) == []
    assert await replicas("a", "1").claim_orders(10, MINUTE) == []


async def test_an_order_whose_lease_is_over_is_claimed_once(replicas: Replicas) -> None:
    order = await store(replicas("a", "1"), fresh(), OVER)

    claimed = await replicas("b", "1").claim_orders(10, MINUTE)

    assert claimed == [replace(order, fence=order.fence + 1)]
    assert await replicas("c", "1").claim_orders(10, MINUTE) == []


async def test_who_lost_an_order_cannot_move_it(replicas: Replicas) -> None:
    order = await store(replicas("a", "1"), fresh(), OVER)
    (claimed,) = await replicas("b", "1").claim_orders(10, MINUTE)

    with pytest.raises(Moved):
        await move(replicas("a", "1"), moved(order))

    await move(replicas("b", "1"), moved(claimed))


async def test_a_claim_alone_is_not_told(replicas: Replicas) -> None:
    order = await store(replicas("a", "1"), fresh(), OVER)
    await replicas("b", "1").claim_orders(10, MINUTE)

    story = await told(replicas("a", "1"), order)
    assert [event.kind for event in story.events] == ["order.placed"]


async def test_an_order_that_waits_is_claimed_when_its_time_has_come(orders: Orders) -> None:
    early = await store(orders, fresh())
    late = await store(orders, fresh())
    await move(orders, moved(early, wake_at=CLOCK.now() - timedelta(seconds=5)))
    await move(orders, moved(late, wake_at=CLOCK.now() + timedelta(minutes=5)))

    claimed = await orders.claim_orders(10, MINUTE)

    assert [order.order_id for order in claimed] == [early.order_id]


@pytest.mark.parametrize("changes", [{"stage": Stage.SETTLED}, {"stage": Stage.UNDOING, "parked": True}])
async def test_an_order_with_nothing_to_be_done_is_never_claimed(orders: Orders, changes: dict[str, object]) -> None:
    order = await store(orders, fresh())
    await move(orders, moved(order, **changes), OVER)  # type: ignore[arg-type]

    assert await orders.claim_orders(10, MINUTE) == []


async def test_a_claim_takes_no_more_than_its_limit_and_the_longest_due_first(orders: Orders) -> None:
    several = [await store(orders, fresh(), -lease) for lease in (10.0, 30.0, 20.0)]

    first = await orders.claim_orders(2, MINUTE)
    second = await orders.claim_orders(2, MINUTE)

    assert [each.order_id for each in first] == [several[1].order_id, several[2].order_id]
    assert [each.order_id for each in second] == [several[0].order_id]


async def test_replicas_that_claim_at_once_share_the_orders(replicas: Replicas) -> None:
    several = {(await store(replicas("a", "1"), fresh(), OVER)).order_id for _ in range(20)}

    shares = await asyncio.gather(*(replicas(name, "1").claim_orders(8, MINUTE) for name in "bcde"))

    claimed = [order.order_id for share in shares for order in share]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) <= several
    assert max(len(share) for share in shares) <= 8


async def test_tasks_are_stored_with_the_move_and_held_by_who_made_it(orders: Orders) -> None:
    order = await pay(orders)

    story = await told(orders, order)
    assert [(task.kind, task.done, task.attempts, task.version) for task in story.tasks] == [
        (TaskKind.COMMIT_TAX, False, 0, 1),
        (TaskKind.SEND_CONFIRMATION, False, 0, 1),
    ]
    assert await orders.claim_tasks(10, MINUTE) == []


async def test_tasks_whose_lease_is_over_are_claimed_with_their_order(orders: Orders) -> None:
    order = await pay(orders, OVER)

    claimed = await orders.claim_tasks(10, MINUTE)

    assert {task.kind for task, _ in claimed} == {TaskKind.COMMIT_TAX, TaskKind.SEND_CONFIRMATION}
    assert all((task.version, of) == (2, order) for task, of in claimed)
    assert await orders.claim_tasks(10, MINUTE) == []


async def test_a_task_that_is_done_leaves_its_result_and_a_word(orders: Orders) -> None:
    order = await pay(orders)
    done = Task(order.order_id, TaskKind.COMMIT_TAX, 2, 1, None, done=True, result="doc-1")

    await orders.finish_task(done, an_event(order, "tax.committed"), Recorded("doc-1", euros(-2)))

    story = await told(orders, order)
    assert story.tasks[0] == done
    assert story.events[-1] == an_event(order, "tax.committed")
    stored = await orders.get(order.order_id)
    assert stored == replace(order, tax_document="doc-1", tax_difference=euros(-2))


async def test_a_later_move_keeps_what_was_recorded_of_the_sale(orders: Orders) -> None:
    order = await pay(orders)
    done = Task(order.order_id, TaskKind.COMMIT_TAX, 2, 1, None, done=True, result="doc-1")
    await orders.finish_task(done, None, Recorded("doc-1", euros(-2)))

    await move(orders, moved(order, Stage.SETTLED))

    stored = await orders.get(order.order_id)
    assert stored is not None
    assert (stored.tax_document, stored.tax_difference) == ("doc-1", euros(-2))


async def test_who_lost_a_task_cannot_finish_it(orders: Orders) -> None:
    order = await pay(orders, OVER)
    await orders.claim_tasks(10, MINUTE)

    mine = Task(order.order_id, TaskKind.COMMIT_TAX, 2, 1, None, done=True, result="mine")
    await orders.finish_task(mine, an_event(order, "tax.committed"))

    story = await told(orders, order)
    assert not any(task.done for task in story.tasks)
    assert "tax.committed" not in {event.kind for event in story.events}


async def test_a_task_that_failed_is_claimed_when_its_time_has_come(orders: Orders) -> None:
    order = await pay(orders)
    soon, later = CLOCK.now() - timedelta(seconds=1), CLOCK.now() + timedelta(minutes=5)
    await orders.finish_task(Task(order.order_id, TaskKind.COMMIT_TAX, 2, 1, soon, last_error="timeout"), None)
    await orders.finish_task(Task(order.order_id, TaskKind.SEND_CONFIRMATION, 2, 1, later, last_error="timeout"), None)

    ((task, _),) = await orders.claim_tasks(10, MINUTE)

    assert (task.kind, task.attempts, task.last_error, task.version) == (TaskKind.COMMIT_TAX, 1, "timeout", 3)


async def test_a_task_that_was_refused_for_good_stays_to_be_seen(orders: Orders) -> None:
    order = await pay(orders)
    refused = Task(order.order_id, TaskKind.COMMIT_TAX, 2, 1, None, last_error="VALIDATION_FAILED")

    await orders.finish_task(refused, None)

    story = await told(orders, order)
    assert story.tasks[0] == refused


async def test_a_new_life_takes_over_from_its_earlier_ones_at_once(replicas: Replicas) -> None:
    order = await store(replicas("a", "1"), fresh())
    paid = await pay(replicas("a", "1"))

    await replicas("a", "2").release_own()

    assert [each.order_id for each in await replicas("a", "2").claim_orders(10, MINUTE)] == [order.order_id]
    assert {task.order_id for task, _ in await replicas("a", "2").claim_tasks(10, MINUTE)} == {paid.order_id}


@pytest.mark.parametrize(("name", "life"), [("b", "1"), ("a", "1"), ("%", "2"), ("_", "2"), ("a%", "2")])
async def test_nobody_else_loses_an_order_to_a_new_life(replicas: Replicas, name: str, life: str) -> None:
    await store(replicas("a", "1"), fresh())
    await pay(replicas("a", "1"))

    await replicas(name, life).release_own()

    assert await replicas("c", "1").claim_orders(10, MINUTE) == []
    assert await replicas("c", "1").claim_tasks(10, MINUTE) == []


async def test_tasks_that_wait_are_counted_with_the_age_of_the_oldest(orders: Orders) -> None:
    assert await orders.backlog() == Backlog(0, 0.0, 0, 0.0)
    order = await store(orders, fresh(Stage.CHARGING))
    long_ago = CLOCK.now() - timedelta(minutes=10)
    tasks = (TaskKind.COMMIT_TAX, TaskKind.SEND_CONFIRMATION)
    order = await move(orders, moved(order, Stage.SETTLED, state=State.PAID, tasks=tasks, updated_at=long_ago))
    await orders.finish_task(Task(order.order_id, TaskKind.COMMIT_TAX, 2, 1, None, done=True), None)

    backlog = await orders.backlog()

    assert backlog.tasks == 1
    assert backlog.oldest_task_seconds >= 0.0


async def test_orders_are_counted_by_their_states_and_the_newest_apart(orders: Orders) -> None:
    before = await orders.counted(CLOCK.now() - timedelta(minutes=1), 10)
    order = await store(orders, fresh(Stage.CHARGING))
    await store(orders, fresh())

    counted = await orders.counted(CLOCK.now() - timedelta(minutes=1), 10)

    assert before.states == {}
    assert counted.states == {order.state: 2}
    assert counted.placed == 2
    assert (await orders.counted(CLOCK.now(), 1)).states == {order.state: 2}
    assert (await orders.counted(CLOCK.now(), 1)).most == 1
    assert (await orders.counted(CLOCK.now() + timedelta(minutes=1), 10)).placed == 0
