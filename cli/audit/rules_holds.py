"""The rules of money that waits for a shipment, and of orders that were given up: what is held, taken and let go."""

import sqlite3

from cli.audit.rule import Remedy, Rule, money


def _held_otherwise(row: sqlite3.Row) -> str:
    due = f"the order is {row['state']} over {money(row['total'], row['currency'])}"
    if row["their_state"] is None:
        return f"{due}, but Stripe holds nothing for it"
    if row["their_state"] != "AUTHORIZED":
        return f"{due}, but its hold {row['provider_payment_id']} is {row['their_state']} at Stripe"
    return f"{due}, but Stripe holds {money(row['amount'], row['their_currency'])} with {row['provider_payment_id']}"


HOLDS = (
    Rule(
        "hold_differs",
        """
        SELECT o.order_id, o.state, o.version, o.total, o.currency, p.payment_id, c.provider_payment_id, c.amount,
          c.state AS their_state, c.currency AS their_currency
        FROM orders o LEFT JOIN payments p USING (order_id)
          LEFT JOIN charges c ON c.provider_payment_id = p.provider_payment_id AND c.booked
        WHERE NOT o.moving AND o.held
          AND (c.state, c.amount, c.currency, c.captured) IS NOT ('AUTHORIZED', o.total, o.currency, 0)
        """,
        _held_otherwise,
        "Do not ship; the payment has to be read afresh, and the order to follow it.",
        (Remedy.CONFIRM_PAYMENT, Remedy.RETRY_ORDER),
    ),
    Rule(
        "taken_differs",
        """
        SELECT order_id, state, version, currency, total, captured, released FROM orders
        WHERE NOT moving AND paid AND captured IS NOT total - released
        """,
        lambda row: (
            f"the order is {row['state']} over {money(row['total'], row['currency'])}, of which it says that "
            f"{money(row['captured'], row['currency'])} was taken and {money(row['released'], row['currency'])} let go"
        ),
        "The order has to follow its payment.",
        (Remedy.RETRY_ORDER,),
    ),
    Rule(
        "shipped_unpaid",
        """
        SELECT order_id, state, shipments FROM orders
        WHERE NOT moving AND captured = 0 AND (shipments > 0 OR state IN ('SHIPPED', 'DELIVERED'))
        """,
        lambda row: f"the order is {row['state']} with {row['shipments']} shipments, and no money was taken for it",
        "Ask the customer to pay, or to send the goods back.",
    ),
    # A payment method that cannot be used leaves an intent that nobody has a secret of: only PENDING is that.
    Rule(
        "payable_yet",
        """
        SELECT o.order_id, o.state, c.provider_payment_id, c.state AS their_state
        FROM charges c JOIN orders o USING (order_id)
        WHERE c.booked AND NOT o.moving AND c.captured = 0 AND ((o.state = 'CANCELLED' AND c.state = 'PENDING')
          OR (o.state IN ('FAILED', 'CANCELLED') AND c.state IN ('ACTION_REQUIRED', 'DECLINED')))
        """,
        lambda row: (
            f"the order is {row['state']}, but {row['provider_payment_id']} is {row['their_state']} at Stripe and "
            "could still be paid"
        ),
        "Cancel it at Stripe; money that comes all the same is given back by itself.",
    ),
)
"""Held money is there for each order that counts on it, and for no other."""
