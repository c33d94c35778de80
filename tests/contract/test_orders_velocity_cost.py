"""What bounding a customer's declined cards adds to an order: one SELECT per group commit, and nothing to write."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Engine, event

from chassis.storage.store import open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA
from order_svc.domain.order import Stage, State
from order_svc.domain.velocity import UNLIMITED, Velocity
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_moves import CLOCK, MINUTE, fresh, move, moved
from tests.fakes.order_samples import a_request, an_event

# What a service is given unless it is told otherwise, and all that it can be given.
USUAL, ALL = Velocity(declines=10), Velocity(orders=10, declines=10, guest_declines=10)


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Return every statement that a SQLite database is asked to run."""
    statements: list[str] = []

    def listen(connection: sqlite3.Connection, _: object) -> None:
        connection.set_trace_callback(statements.append)

    event.listen(Engine, "connect", listen)
    yield statements
    event.remove(Engine, "connect", listen)


@pytest.fixture
async def orders(asked: list[str], make_database: MakeDatabase) -> AsyncIterator[OrdersStore]:
    store = await open_store(make_database("sqlite", MIGRATIONS), metadata=METADATA)
    result = OrdersStore(store, CLOCK, "here", "1")
    # What the connection is told when it is opened is no order's cost.
    await place(result, UNLIMITED)
    asked.clear()
    yield result
    await store.close()


async def place(orders: OrdersStore, velocity: Velocity) -> None:
    """Store an order and pay it, as a card that is taken does."""
    order = fresh()
    request = a_request(order.order_id)
    assert await orders.create(order, request, an_event(order), MINUTE, velocity.of_order(order))
    await move(orders, moved(order, Stage.SETTLED, state=State.PAID))


def counted(asked: list[str]) -> Counter[str]:
    """Return how often each kind of statement was asked for, by its first word, and begin to count anew."""
    kinds = Counter(statement.split(maxsplit=1)[0] for statement in asked)
    asked.clear()
    return kinds


@pytest.mark.parametrize(("velocity", "more"), [pytest.param(USUAL, 1, id="usual"), pytest.param(ALL, 2, id="all")])
async def test_an_order_costs_a_select_per_kind_of_count_and_nothing_is_written_more(
    orders: OrdersStore, asked: list[str], velocity: Velocity, more: int
) -> None:
    await place(orders, UNLIMITED)
    without = counted(asked)
    await place(orders, velocity)

    # The key's guard and the version's; the bounds are asked with them, in the transaction of the first commit.
    assert without["SELECT"] == 2
    assert counted(asked) == without + Counter(SELECT=more)


async def test_orders_of_one_group_commit_share_the_select(orders: OrdersStore, asked: list[str]) -> None:
    several = [fresh() for _ in range(20)]

    await asyncio.gather(
        *(
            orders.create(each, a_request(each.order_id), an_event(each), MINUTE, USUAL.of_order(each))
            for each in several
        )
    )

    kinds = counted(asked)
    assert (kinds["BEGIN"], kinds["COMMIT"], kinds["SELECT"]) == (1, 1, 2)
