"""What the use cases rely on in `Orders`: true of the fake in memory and of the store on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from order_svc.app.ports import Moved, OrderFilter, Orders
from order_svc.domain.draft import Customer, Item
from order_svc.domain.order import Stage, State
from order_svc.domain.task import TaskKind
from order_svc.domain.transition import Transition
from tests.fakes.order_moves import CLOCK, IDS, MINUTE, fresh, move, moved, store, told
from tests.fakes.order_samples import NOW, a_draft, a_request, an_event, euros
from tests.fakes.order_whole import a_whole_order


async def test_what_was_stored_is_read_again(orders: Orders) -> None:
    order = await store(orders, fresh())

    assert await orders.get(order.order_id) == order


async def test_an_order_that_nobody_stored_is_not_there(orders: Orders) -> None:
    assert await orders.get(IDS.new()) is None
    assert await orders.find(a_request("never used")) is None


@pytest.mark.parametrize("stage", Stage)
async def test_an_order_survives_at_every_stage(orders: Orders, stage: Stage) -> None:
    order = await store(orders, fresh(stage))

    assert await orders.get(order.order_id) == order


async def test_every_field_of_a_new_order_survives_with_its_extremes(orders: Orders) -> None:
    draft = a_draft(
        customer=Customer("c", "ö@example.com", "Zoë 🎩 O'Neil\\", "l" * 35, "e" * 25, "u" * 25, "b" * 25, "p" * 100),
        items=tuple(Item(f"sku-{n}", "x" * 200, 100_000, euros(n), "P0000000") for n in range(1, 9)),
        prices_include_tax=True,
    )
    terms = replace(a_whole_order().terms, reference="r" * 100, metadata=(("k" * 40, "ö🎩'\\"), ("z", "")))

    order = await store(orders, fresh(draft=draft, terms=terms, note="n" * 2000))

    assert await orders.get(order.order_id) == order


async def test_everything_that_a_move_may_change_survives(orders: Orders) -> None:
    whole = a_whole_order()
    first = await store(orders, fresh(draft=whole.draft, terms=whole.terms, created_at=NOW, traceparent="00-1"))
    task_alone: dict[str, Any] = {"tax_document": "", "tax_difference": None, "refund_documents": {}}
    second = replace(whole, order_id=first.order_id, version=2, fence=2, **task_alone)

    await move(orders, Transition(second, "some.move", {}))

    read = await orders.get(first.order_id)
    assert read == second
    assert read.payment is not None
    assert read.payment.version == 3  # not compared, as it tells nobody anything


async def test_a_key_that_was_used_stores_nothing(orders: Orders) -> None:
    first, second = fresh(), fresh()

    assert await orders.create(first, a_request("k", "a" * 64), an_event(first), MINUTE)
    assert not await orders.create(second, a_request("k", "b" * 64), an_event(second), MINUTE)

    assert await orders.get(second.order_id) is None
    assert await orders.find(a_request("k", "c" * 64)) == ("a" * 64, first)


async def test_of_many_calls_with_one_key_one_stores(orders: Orders) -> None:
    several = [fresh() for _ in range(20)]

    stored = await asyncio.gather(*(orders.create(each, a_request("k"), an_event(each), MINUTE) for each in several))

    assert sum(stored) == 1
    found = await orders.find(a_request("k"))
    assert found is not None
    assert found[1] == several[stored.index(True)]


async def test_keys_of_two_callers_never_meet(orders: Orders) -> None:
    first, second = fresh(), fresh()

    assert await orders.create(first, a_request("k", caller="a"), an_event(first), MINUTE)
    assert await orders.create(second, a_request("k", caller="b"), an_event(second), MINUTE)

    found = await orders.find(a_request("k", caller="b"))
    assert found is not None
    assert found[1].order_id == second.order_id


async def test_a_move_from_an_older_state_changes_nothing(orders: Orders) -> None:
    order = await store(orders, fresh(Stage.CHARGING))
    won = await move(orders, moved(order, Stage.UNDOING))

    lost = moved(order, Stage.SETTLED, state=State.PAID, tasks=(TaskKind.COMMIT_TAX,))
    with pytest.raises(Moved):
        await orders.move(lost, an_event(lost.order, "payment.charged"), MINUTE)

    assert await orders.get(order.order_id) == won
    story = await told(orders, order)
    assert [event.kind for event in story.events] == ["order.placed", "some.move"]
    assert not story.tasks


async def test_of_many_moves_from_one_state_one_is_written(orders: Orders) -> None:
    order = await store(orders, fresh())

    results = await asyncio.gather(*(move(orders, moved(order)) for _ in range(10)), return_exceptions=True)

    assert sum(isinstance(each, Moved) for each in results) == 9


async def test_the_journal_tells_every_move_that_has_a_word(orders: Orders) -> None:
    order = await store(orders, fresh())
    quiet = replace(moved(order), kind="")
    quiet = replace(quiet, order=replace(quiet.order, version=order.version))

    second = await move(orders, quiet)
    third = await move(orders, moved(second))

    story = await told(orders, order)
    assert story.events == [an_event(order), an_event(third, "some.move")]
    assert [event.version for event in story.events] == [1, 2]
    assert (await orders.get(order.order_id)) == replace(order, stage=Stage.CHARGING, version=2, fence=3)


async def test_the_journal_says_when_the_order_is_looked_at_next(orders: Orders) -> None:
    order = await store(orders, fresh())
    wake_at = CLOCK.now() + timedelta(minutes=5)

    await move(orders, moved(order, wake_at=wake_at))

    planned = (await told(orders, order)).wake_at
    assert planned is not None
    assert abs(planned - wake_at) < timedelta(seconds=2)


async def test_an_order_that_nobody_stored_has_no_story(orders: Orders) -> None:
    assert await orders.journal(IDS.new()) is None


async def test_a_story_tells_of_one_moment(orders: Orders) -> None:
    order = await store(orders, fresh())

    async def go_on() -> None:
        going = order
        for _ in range(20):
            going = await move(orders, moved(going))

    moving = asyncio.create_task(go_on())
    while not moving.done():
        story = await told(orders, order)
        assert story.order.version == story.events[-1].version
    await moving


async def test_orders_are_listed_newest_first_and_page_by_page(orders: Orders) -> None:
    several = [await store(orders, fresh()) for _ in range(5)]
    newest_first = sorted(several, key=lambda order: order.order_id, reverse=True)

    first = await orders.page(OrderFilter(), "", 3)
    second = await orders.page(OrderFilter(), first[-1].order_id, 3)

    assert [*first, *second] == newest_first


async def test_filters_add_up(orders: Orders) -> None:
    ada, bob = Customer("ada", "a@example.com", ""), Customer("bob", "b@example.com", "")
    wanted = await store(
        orders, fresh(Stage.SETTLED, draft=a_draft(customer=ada), state=State.FAILED, needs_review=True)
    )
    await store(orders, fresh(Stage.SETTLED, draft=a_draft(customer=bob), state=State.FAILED, needs_review=True))
    await store(orders, fresh(Stage.SETTLED, draft=a_draft(customer=ada), state=State.PAID, needs_review=True))
    await store(orders, fresh(Stage.SETTLED, draft=a_draft(customer=ada), state=State.FAILED))

    assert await orders.page(OrderFilter("ada", State.FAILED, needs_review=True), "", 10) == [wanted]
    assert len(await orders.page(OrderFilter("ada"), "", 10)) == 3
    assert len(await orders.page(OrderFilter(state=State.FAILED), "", 10)) == 3
    assert len(await orders.page(OrderFilter(needs_review=True), "", 10)) == 3
    assert await orders.page(OrderFilter("nobody"), "", 10) == []
