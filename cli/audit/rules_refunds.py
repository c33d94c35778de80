"""The rules of refunds: what an order says of them against Stripe's own list, one by one."""

import sqlite3

from cli.audit.rule import Remedy, Rule, money


def _differing(row: sqlite3.Row) -> str:
    ours = f"the order has its refund {row['number']} as {money(row['amount'], row['currency'])} {row['state']}"
    if row["their_state"] is None:
        return f"{ours}, but Stripe does not list {row['provider_refund_id']}"
    theirs = f"{money(row['their_amount'], row['currency'])} {row['their_state']}"
    return f"{ours}, and {row['provider_refund_id']} is {theirs} at Stripe"


REFUNDS = (
    Rule(
        "order_refund_differs",
        """
        SELECT o.order_id, o.version, o.currency, p.payment_id, r.number, r.provider_refund_id, r.state, r.amount,
          s.state AS their_state, s.amount AS their_amount
        FROM order_refunds r JOIN orders o USING (order_id) LEFT JOIN payments p USING (order_id)
          LEFT JOIN charge_refunds s USING (provider_refund_id)
        WHERE NOT o.moving AND r.provider_refund_id <> '' AND (r.state, r.amount) IS NOT (s.state, s.amount)
        """,
        _differing,
        "The payment has to be read afresh, and the order to follow it.",
        (Remedy.CONFIRM_PAYMENT,),
    ),
    Rule(
        "refund_untold",
        """
        SELECT o.order_id, o.version, o.currency, p.payment_id, s.provider_refund_id, s.amount
        FROM charge_refunds s JOIN refunds r USING (provider_refund_id) JOIN payments p ON p.payment_id = r.payment_id
          JOIN orders o ON o.order_id = p.order_id
        WHERE NOT o.moving AND o.paid AND s.state <> 'FAILED' AND s.created <= :horizon AND NOT EXISTS (
          SELECT 1 FROM order_refunds f WHERE f.provider_refund_id = s.provider_refund_id)
        """,
        lambda row: (
            f"{money(row['amount'], row['currency'])} was given back ({row['provider_refund_id']}), and the order does "
            "not know of it"
        ),
        "The order has to follow its payment.",
        (Remedy.CONFIRM_PAYMENT,),
    ),
    Rule(
        "refunds_do_not_add_up",
        """
        SELECT * FROM (
          SELECT o.order_id, o.currency, o.refunded, coalesce((SELECT sum(r.amount) FROM order_refunds r
              WHERE r.order_id = o.order_id AND r.state <> 'FAILED'), 0) AS parts
          FROM orders o WHERE NOT o.moving AND o.paid)
        WHERE refunded IS NOT parts
        """,
        lambda row: (
            f"the order says that {money(row['refunded'], row['currency'])} was given back, and its refunds come to "
            f"{money(row['parts'], row['currency'])}"
        ),
        "Tell us: this must not happen.",
    ),
    # Keys of order_svc: the order's id, ":refund:", the number, and where it was sent again which sending it was.
    Rule(
        "refunded_twice",
        """
        SELECT p.order_id, p.payment_id, p.currency, CAST(substr(r.request_id, 45) AS INTEGER) AS number,
          count(*) AS times, sum(r.amount) AS amount
        FROM refunds r JOIN payments p USING (payment_id)
        WHERE r.state <> 'FAILED' AND r.provider_refund_id <> ''
          AND r.request_id GLOB '????????-????-????-????-????????????:refund:[0-9]*'
        GROUP BY p.payment_id, number HAVING count(*) > 1
        """,
        lambda row: (
            f"refund {row['number']} of the order was made {row['times']} times, over "
            f"{money(row['amount'], row['currency'])} together"
        ),
        "Tell us: this must not happen. What is too much is the customer's unless he gives it back.",
    ),
    # One of which a refund has failed since stays REFUNDED, and a person is told.
    Rule(
        "refunded_state",
        """
        SELECT order_id, state, currency, captured, refunded FROM orders
        WHERE NOT moving AND NOT needs_review AND paid
          AND (state = 'REFUNDED') <> (captured > 0 AND captured = refunded)
        """,
        lambda row: (
            f"the order is {row['state']}, and of {money(row['captured'], row['currency'])} taken "
            f"{money(row['refunded'], row['currency'])} was given back"
        ),
        "Tell us: this must not happen.",
    ),
)
"""An order's refunds are Stripe's, each of them, and they add up."""
