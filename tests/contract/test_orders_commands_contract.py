"""Commands, tasks of several of a kind, and the lists: in the fake in memory and in the store on both databases."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kernel.ids import least_id_at
from kernel.money import Money
from order_svc.app.ports import Moved, OrderFilter, Orders
from order_svc.domain.commands import Command
from order_svc.domain.draft import Terms
from order_svc.domain.order import Alert, Order, Stage, State
from order_svc.domain.task import NewTask, Task, TaskKind
from order_svc.domain.tax import Recorded
from order_svc.domain.transition import Transition
from tests.fakes.order_moves import CLOCK, MINUTE, OVER, fresh, move, moved, store, told
from tests.fakes.order_samples import NOW, a_request, an_event, euros

REFUND_TAX, SEND_REFUNDED = TaskKind.REFUND_TAX, TaskKind.SEND_REFUNDED
NOTHING = euros(0)
REFERENCES = [
    "shop-1",
    "SHOP-1",
    "shop2",
    "50%",
    "500",
    "a_b",
    "axb",
    "a\\b",
    "über",
    "'",
    "[a]b",
    "sh*p",
    "",
    "\U0001f3a9",
]
PREFIXES = ["", "shop", "shop-", "SHOP", "50%", "a_b", "a\\b", "ü", "'", "[a]", "sh*p", "\U0001f3a9", "-"]


async def settled(orders: Orders, *tasks: NewTask, **changes: object) -> Order:
    """Store an order that is paid, with these tasks."""
    order = await store(orders, fresh(Stage.CHARGING))
    paid = moved(order, Stage.SETTLED, **{"state": State.PAID, "updated_at": CLOCK.now(), **changes})
    return await move(orders, replace(paid, tasks=tasks), OVER)


async def obey(orders: Orders, command: Command, transition: Transition, key: str = "k", seal: str = "f" * 64) -> bool:
    event = an_event(transition.order, transition.kind)
    return await orders.obey(command, a_request(key, seal), transition, event, lease_seconds=MINUTE)


async def test_a_command_is_kept_with_its_key_and_its_word(orders: Orders) -> None:
    order = await settled(orders)
    noted = moved(order, Stage.SETTLED, note="Call before.")

    assert await obey(orders, Command.ANNOTATE, noted)

    assert await orders.find(a_request("k"), Command.ANNOTATE) == ("f" * 64, noted.order)
    assert (await told(orders, order)).events[-1].kind == "some.move"
    assert await orders.claim_orders(10, MINUTE) == []


async def test_a_key_that_was_used_for_the_command_changes_nothing(orders: Orders) -> None:
    order = await settled(orders)
    first = moved(order, Stage.SETTLED, note="first")
    await obey(orders, Command.ANNOTATE, first, "k", "a" * 64)

    again = await obey(orders, Command.ANNOTATE, moved(first.order, Stage.SETTLED, note="second"), "k", "b" * 64)

    assert not again
    assert await orders.find(a_request("k"), Command.ANNOTATE) == ("a" * 64, first.order)


async def test_one_key_may_stand_for_one_request_of_each_command(orders: Orders) -> None:
    order = await settled(orders)
    for command in Command:
        if command is not Command.PLACE:
            transition = moved(order, Stage.SETTLED, note=command.value)
            assert await obey(orders, command, transition)
            order = transition.order

    assert await orders.find(a_request("k")) is None


async def test_of_commands_at_once_on_one_version_one_is_obeyed(orders: Orders) -> None:
    order = await settled(orders)
    several = [obey(orders, Command.ANNOTATE, moved(order, Stage.SETTLED, note=f"n{n}"), f"k{n}") for n in range(6)]

    results = await asyncio.gather(*several, return_exceptions=True)

    assert results.count(True) == 1
    assert sum(isinstance(each, Moved) for each in results) == 5
    assert len((await told(orders, order)).events) == 3


async def test_a_command_that_goes_on_leases_the_order_and_leaves_its_tasks(orders: Orders) -> None:
    order = await settled(orders)
    going = replace(moved(order, Stage.REFUNDING), tasks=(NewTask(TaskKind.SEND_SHIPPED, 2),))

    await obey(orders, Command.REFUND, going)

    assert await orders.claim_orders(10, MINUTE) == []
    assert [task.name for task in (await told(orders, order)).tasks] == ["send_shipped:2"]
    assert (await orders.standings([order.order_id]))[order.order_id].held


async def test_a_delayed_task_is_nobodys_until_its_time_has_come(orders: Orders) -> None:
    later, now = NewTask(TaskKind.SEND_ACTION_REQUIRED, 1, timedelta(minutes=5)), NewTask(TaskKind.SEND_SHIPPED, 1)
    order = await settled(orders, later, now)

    claimed = await orders.claim_tasks(10, MINUTE)

    assert [task.name for task, _ in claimed] == ["send_shipped:1"]
    planned = {task.name: task.due_at for task in (await told(orders, order)).tasks}["send_action_required:1"]
    assert planned is not None
    assert abs(planned - (order.updated_at + timedelta(minutes=5))) < timedelta(seconds=2)
    (waiting,) = (await orders.standings([order.order_id]))[order.order_id].tasks
    assert waiting.name == "send_action_required:1"


async def test_a_delayed_task_whose_time_has_come_is_claimed(orders: Orders) -> None:
    long_ago = CLOCK.now() - timedelta(minutes=10)
    await settled(orders, NewTask(TaskKind.SEND_ACTION_REQUIRED, 1, timedelta(minutes=5)), updated_at=long_ago)

    ((task, _),) = await orders.claim_tasks(10, MINUTE)

    assert (task.kind, task.number) == (TaskKind.SEND_ACTION_REQUIRED, 1)


async def test_tasks_of_one_kind_are_told_apart_by_their_number(orders: Orders) -> None:
    order = await settled(orders, NewTask(TaskKind.SEND_SHIPPED, 1), NewTask(TaskKind.SEND_SHIPPED, 2))
    claimed = {task.number: task for task, _ in await orders.claim_tasks(10, MINUTE)}

    second = replace(claimed[2], version=claimed[2].version + 1, done=True, due_at=None, result="n-2")
    await orders.finish_task(second, an_event(order, "mail.accepted:send_shipped:2"))

    done = {task.name: task.done for task in (await told(orders, order)).tasks}
    assert done == {"send_shipped:1": False, "send_shipped:2": True}


async def test_documents_of_refunds_that_are_recorded_at_once_are_all_kept(orders: Orders) -> None:
    order = await settled(orders, *(NewTask(REFUND_TAX, number) for number in range(1, 6)))
    claimed = [task for task, _ in await orders.claim_tasks(10, MINUTE)]

    async def record(task: Task) -> None:
        done = replace(task, version=task.version + 1, done=True, due_at=None, result=f"doc-r{task.number}")
        event = an_event(order, f"tax.refunded:{task.number}")
        await orders.finish_task(done, event, Recorded(done.result, NOTHING))

    await asyncio.gather(*(record(task) for task in claimed))

    read = await orders.get(order.order_id)
    assert read is not None
    assert read.refund_documents == {number: f"doc-r{number}" for number in range(1, 6)}
    assert read.tax_document == ""
    moved_on = await move(orders, moved(read, Stage.SETTLED, note="new"))
    assert await orders.get(order.order_id) == replace(moved_on, refund_documents=read.refund_documents)


async def test_who_lost_the_task_of_a_refund_records_nothing(orders: Orders) -> None:
    order = await settled(orders, NewTask(REFUND_TAX, 1))
    await orders.claim_tasks(10, MINUTE)

    mine = Task(order.order_id, REFUND_TAX, 2, 1, None, done=True, result="mine", number=1)
    await orders.finish_task(mine, an_event(order, "tax.refunded:1"), Recorded("mine", NOTHING))

    story = await told(orders, order)
    assert story.order.refund_documents == {}
    assert "tax.refunded:1" not in {event.kind for event in story.events}


async def test_references_are_found_by_how_they_begin_whatever_they_hold(orders: Orders) -> None:
    several = [await store(orders, fresh(terms=Terms(reference=name))) for name in REFERENCES]
    for prefix in PREFIXES:
        found = await orders.page(OrderFilter(reference_prefix=prefix), "", 50)

        expected = {order.order_id for order in several if order.terms.reference.startswith(prefix)}
        assert {order.order_id for order in found} == expected, prefix


async def test_orders_are_found_by_when_they_were_accepted(orders: Orders) -> None:
    times = [NOW + timedelta(milliseconds=step) for step in range(4)]
    several = [await store(orders, fresh(order_id=least_id_at(at), created_at=at, updated_at=at)) for at in times]

    found = await orders.page(OrderFilter(created_from=times[1], created_before=times[3]), "", 50)

    assert {order.order_id for order in found} == {order.order_id for order in several[1:3]}
    assert len(await orders.page(OrderFilter(created_from=datetime.min.replace(tzinfo=UTC)), "", 50)) == len(times)
    assert await orders.page(OrderFilter(created_before=datetime.min.replace(tzinfo=UTC)), "", 50) == []


async def test_orders_of_which_another_tax_was_recorded_are_found(orders: Orders) -> None:
    wanted = []
    for difference in (-1, 0, 1, None):
        order = await settled(orders, NewTask(TaskKind.COMMIT_TAX))
        if difference is not None:
            done = Task(order.order_id, TaskKind.COMMIT_TAX, 2, 1, None, done=True, result="doc")
            await orders.finish_task(done, None, Recorded("doc", Money("EUR", difference)))
        wanted += [order.order_id] if difference else []

    found = await orders.page(OrderFilter(tax_differs=True), "", 50)

    assert {order.order_id for order in found} == set(wanted)


async def test_orders_with_alerts_are_found(orders: Orders) -> None:
    await settled(orders)
    alerted = await settled(orders, alerts=(Alert("mail.bounced", "n-1", "It bounced.", NOW),))

    assert await orders.page(OrderFilter(alerted=True), "", 50) == [alerted]
