"""Messages of outgoing webhooks are written by the orders' own commits, on both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from chassis.storage.store import Store, open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA
from order_svc.adapters.webhook_announcer import Announcer
from order_svc.adapters.webhook_tables import WEBHOOK_MESSAGES
from order_svc.app.ports import Moved
from order_svc.app.webhook_ports import (
    Audience,
)
from order_svc.domain.order import Stage, State
from order_svc.domain.task import Task, TaskKind
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_moves import CLOCK, fresh, moved, pay, store
from tests.fakes.order_samples import a_request, an_event
from tests.fakes.webhook_samples import MINUTE


@pytest.fixture
async def opened(database_kind: str, make_database: MakeDatabase) -> AsyncIterator[Store]:
    result = await open_store(make_database(database_kind, MIGRATIONS), metadata=METADATA)
    try:
        yield result
    finally:
        await result.close()


async def _told(opened: Store) -> list[str]:
    """Return the types of all messages that wait, in no order."""
    query = WEBHOOK_MESSAGES.select()
    return sorted([row.event_type for row in await opened.read(lambda connection: connection.execute(query).all())])


async def test_a_move_and_what_is_told_of_it_are_one_commit(opened: Store) -> None:
    audience = Audience()
    audience.join()
    orders = OrdersStore(opened, CLOCK, "here", "1", Announcer(audience))
    order = await store(orders, fresh(Stage.CHARGING))
    won = replace(moved(order, Stage.SETTLED, state=State.PAID), kind="payment.charged")
    lost = replace(moved(order, Stage.SETTLED, state=State.FAILED), kind="order.failed")

    await orders.move(won, an_event(won.order, won.kind), MINUTE)
    with pytest.raises(Moved):
        await orders.move(lost, an_event(lost.order, lost.kind), MINUTE)
    await orders.create(fresh(order_id=order.order_id), a_request(order.order_id), an_event(order), MINUTE)

    assert await _told(opened) == ["order.paid", "order.placed"]


async def test_while_nobody_listens_nothing_is_written(opened: Store) -> None:
    orders = OrdersStore(opened, CLOCK, "here", "1", Announcer(Audience()))

    await pay(orders)

    assert await _told(opened) == []


async def test_a_task_that_is_refused_is_told(opened: Store) -> None:
    audience = Audience()
    orders = OrdersStore(opened, CLOCK, "here", "1", Announcer(audience))
    order = await pay(orders)
    audience.join()

    await orders.refuse_task(Task(order.order_id, TaskKind.COMMIT_TAX, version=2), an_event(order, "tax.refused"))

    assert await _told(opened) == ["order.needs_review"]
