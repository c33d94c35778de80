"""What the services' own databases say of an order, for checks that no fault ever touches."""

from typing import Any

from sqlalchemy import select

from kernel.errors import Reason
from order_svc.adapters.order_reads import order_of
from order_svc.adapters.tables import METADATA as ORDER_TABLES
from order_svc.domain.order import Order
from payment_svc.adapters.tables import METADATA as PAYMENT_TABLES
from tests.simulation.shelf import shelf

_REFUSED = """
SELECT 1 FROM order_tasks WHERE order_id = ? AND due_at IS NULL AND last_error = 'ADDRESS_INVALID'
"""
assert Reason.ADDRESS_INVALID.value in _REFUSED, "the word of the query is the product's"


def stored_order(order_id: str) -> Order:
    """Return an order that is there."""
    found = order_of(shelf(ORDER_TABLES).connection, order_id)
    assert found is not None, f"order {order_id} was there a moment ago"
    return found


def state_of(order_id: str) -> str | None:
    """Return the state of an order; None when there is no such order."""
    found = column("state", order_id)
    return None if found is None else str(found)


def column(name: str, order_id: str) -> Any:  # noqa: ANN401  (a value of any type)
    """Return a value of an order's row; None when there is no such order."""
    found = shelf(ORDER_TABLES).row(f"SELECT {name} FROM orders WHERE order_id = ?", order_id)
    return None if found is None else found[0]


def ledger(order_id: str) -> int:
    """Return the minor units of an order that we say we have."""
    (kept,) = shelf(PAYMENT_TABLES).row("SELECT sum(captured - refunded) FROM payments WHERE order_id = ?", order_id)
    return kept or 0


def refunds_in_ledger(order_id: str) -> dict[str, str]:
    """Return the states of an order's refunds that Stripe has, as payment_svc has them, by Stripe's ids."""
    refunds, payments = PAYMENT_TABLES.tables["refunds"].c, PAYMENT_TABLES.tables["payments"].c
    query = select(refunds.provider_refund_id, refunds.state).where(
        refunds.payment_id == payments.payment_id, payments.order_id == order_id, refunds.provider_refund_id != ""
    )
    return {row.provider_refund_id: row.state for row in shelf(PAYMENT_TABLES).ask(query)}


def address_refused(order_id: str) -> bool:
    """Say whether AvaTax, which was away for the quote, will never record a sale to the order's address."""
    return shelf(ORDER_TABLES).row(_REFUSED, order_id) is not None
