"""P-5 and P-8 in the database itself: no statement moves an order that is over, or rewrites the journal."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text

from chassis.storage.changes import StatementRefused
from chassis.storage.store import Store, open_store
from order_svc.__main__ import MIGRATIONS
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.tables import METADATA
from order_svc.domain.order import State
from tests.fakes.manual_clock import ManualClock
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_samples import a_request, an_event, an_order

ORDER = an_order()

OVER = [State.FAILED, State.CANCELLED, State.REFUNDED]
PAID = [State.PAID, State.PROCESSING, State.SHIPPED, State.DELIVERED]
OPEN = [State.PENDING, State.PAYMENT_ACTION_REQUIRED]
REFUSED = [(before, after) for before in OVER for after in State if after is not before] + [
    (before, after) for before in PAID for after in OPEN
]
# Of orders whose money was only held: they can still fail, or be cancelled.
REFUSED_ONCE_TAKEN = [(before, after) for before in PAID for after in (State.FAILED, State.CANCELLED)]
ALLOWED = [
    *((before, after) for before in OPEN for after in State),
    *((before, after) for before in PAID for after in [*PAID, State.REFUNDED]),
    *((state, state) for state in State),
    *((State.AUTHORIZED, after) for after in State if after not in OPEN),
]


@pytest.fixture
async def store(database_kind: str, make_database: MakeDatabase) -> AsyncIterator[Store]:
    opened = await open_store(make_database(database_kind, MIGRATIONS), metadata=METADATA)
    orders = OrdersStore(opened, ManualClock(), "replica", "life")
    await orders.create(ORDER, a_request(), an_event(ORDER), 30.0)
    yield opened
    await opened.close()


async def _write(store: Store, before: State, after: State, captured: int | None = None) -> None:
    """Write both states straight into the table, past all code of ours, and undo it."""

    def body(connection: Connection) -> None:
        told = {"state": before, "captured": captured}
        connection.execute(text("UPDATE orders SET state = :state, captured = :captured"), told)
        connection.execute(text("UPDATE orders SET state = :state"), {"state": after})
        raise _Undo

    await store.transact(body)


class _Undo(Exception):
    """Rolls back."""


async def test_an_order_that_is_over_moves_no_more(store: Store) -> None:
    for before, after in REFUSED:
        with pytest.raises(StatementRefused):
            await _write(store, before, after)


@pytest.mark.parametrize("captured", [None, 0])
async def test_an_order_whose_money_was_only_held_may_still_fail(store: Store, captured: int | None) -> None:
    for before, after in REFUSED_ONCE_TAKEN:
        with pytest.raises(_Undo):
            await _write(store, before, after, captured)


async def test_an_order_whose_money_was_taken_never_fails(store: Store) -> None:
    for before, after in REFUSED_ONCE_TAKEN:
        with pytest.raises(StatementRefused):
            await _write(store, before, after, captured=1)


async def test_every_other_move_is_left_to_the_state_machine(store: Store) -> None:
    for before, after in ALLOWED:
        with pytest.raises(_Undo):
            await _write(store, before, after, captured=1)


async def test_the_journal_is_never_rewritten(store: Store) -> None:
    with pytest.raises(StatementRefused):
        await store.transact(lambda connection: connection.execute(text("UPDATE order_events SET kind = 'other'")))
