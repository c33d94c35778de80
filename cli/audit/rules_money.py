"""The rules of money: Stripe's record against our payment ledger, and both against the order."""

import sqlite3

from cli.audit.rule import Remedy, Rule, money


def _kept(row: sqlite3.Row) -> str:
    kept = money(row["kept"], row["charged_currency"] or row["currency"])
    if not row["due"]:
        return f"the order is {row['state']}, but Stripe keeps {kept} of it"
    return f"the order is {row['state']} over {money(row['due'], row['currency'])}, but Stripe keeps {kept} of it"


def _differing(row: sqlite3.Row) -> str:
    ours = row["provider_payment_id"] or "a payment"
    if row["their_state"] is None:
        return f"our ledger has {ours} as {row['state']}, but Stripe does not list it"
    told = [f"{row['state']} against {row['their_state']}"] if row["state"] != row["their_state"] else []
    told += [
        f"{name} {money(row[name], row['currency'])} against {money(row[f'their_{name}'], row['their_currency'])}"
        for name in ("amount", "captured", "refunded")
        if (row[name], row["currency"]) != (row[f"their_{name}"], row["their_currency"])
    ]
    return f"our ledger of {ours} differs from Stripe's record: {', '.join(told)}"


def _differing_refund(row: sqlite3.Row) -> str:
    refund = row["provider_refund_id"] or row["refund_id"]
    ours = f"{money(row['amount'], row['currency'])} {row['state']}"
    if row["their_state"] is None:
        return f"our ledger has the refund {refund} ({ours}), but Stripe does not list it"
    theirs = f"{money(row['their_amount'], row['currency'])} {row['their_state']}"
    return f"the refund {refund} is {ours} in our ledger and {theirs} at Stripe"


CHARGES = (
    Rule(
        "money_differs",
        """
        SELECT * FROM (
          SELECT o.order_id, o.state, o.currency, o.version, p.payment_id, p.provider_payment_id,
            iif(o.paid, o.total - o.released - o.refunded, 0) AS due,
            coalesce((SELECT sum(c.captured - c.refunded + c.elsewhere) FROM charges c
                      WHERE c.order_id = o.order_id AND c.booked), 0) AS kept,
            (SELECT c.currency FROM charges c WHERE c.order_id = o.order_id AND c.booked) AS charged_currency
          FROM orders o LEFT JOIN payments p USING (order_id)
          WHERE NOT o.moving AND NOT o.open)
        WHERE kept IS NOT due OR (kept <> 0 AND charged_currency IS NOT currency)
        """,
        _kept,
        "The payment has to be read afresh, and the order to follow it.",
        (Remedy.CONFIRM_PAYMENT, Remedy.RETRY_ORDER),
    ),
    Rule(
        "charged_too_much",
        """
        SELECT o.order_id, o.total, c.provider_payment_id, c.currency, c.captured
        FROM charges c JOIN orders o USING (order_id)
        WHERE c.booked AND NOT o.moving AND c.currency = o.currency AND c.captured > o.total
        """,
        lambda row: (
            f"Stripe took {money(row['captured'], row['currency'])} with {row['provider_payment_id']}, and the order "
            f"comes to {money(row['total'], row['currency'])}"
        ),
        "Give back what is too much, and tell us: this must not happen.",
    ),
    Rule(
        "orphan_charge",
        """
        SELECT c.order_id, c.provider_payment_id, c.state, c.currency, c.captured - c.refunded AS kept
        FROM charges c LEFT JOIN orders o USING (order_id)
        WHERE NOT c.booked AND c.order_id <> '' AND c.payment_id <> '' AND c.created <= :horizon
          AND c.captured > c.refunded AND o.order_id IS NULL
        """,
        lambda row: (
            f"Stripe took {money(row['kept'], row['currency'])} with {row['provider_payment_id']}, "
            "which carries our ids, but there is no such order"
        ),
        "It has to be given back.",
        (Remedy.RELEASE_CHARGE,),
    ),
    Rule(
        "second_charge",
        """
        SELECT c.order_id, c.provider_payment_id, c.currency, c.captured - c.refunded AS kept
        FROM charges c JOIN orders o USING (order_id)
        WHERE NOT c.booked AND NOT o.moving AND c.captured > c.refunded
          AND o.provider_payment_id <> c.provider_payment_id
          AND (o.provider_payment_id <> '' OR NOT o.open)
        """,
        lambda row: (
            f"Stripe took {money(row['kept'], row['currency'])} with {row['provider_payment_id']} for this order, "
            "beside its own payment"
        ),
        "It has to be given back.",
        (Remedy.RELEASE_CHARGE,),
    ),
    Rule(
        "unbooked_charge",
        """
        SELECT c.order_id, c.provider_payment_id, c.currency, c.captured - c.refunded AS kept
        FROM charges c JOIN orders o USING (order_id)
        WHERE NOT c.booked AND NOT o.moving AND c.captured > c.refunded
          AND (o.provider_payment_id = c.provider_payment_id
            -- An order that never heard of its payment finds this one when it goes on, and is paid with it.
            OR (o.provider_payment_id = '' AND o.open))
        """,
        lambda row: (
            f"the order was paid with {row['provider_payment_id']} ({money(row['kept'], row['currency'])}), "
            "which our payment ledger has lost"
        ),
        "Restore the payment service's database; do not refund it, the order counts on it.",
    ),
    Rule(
        "orphan_hold",
        """
        SELECT c.order_id, c.provider_payment_id, c.currency, c.amount
        FROM charges c
        WHERE NOT c.booked AND c.order_id <> '' AND c.payment_id <> '' AND c.created <= :horizon
          AND c.state = 'AUTHORIZED'
        """,
        lambda row: (
            f"Stripe holds {money(row['amount'], row['currency'])} with {row['provider_payment_id']}, "
            "which carries our ids and is no payment of ours"
        ),
        "It has to be released.",
        (Remedy.RELEASE_CHARGE,),
    ),
    Rule(
        "forgotten_hold",
        """
        SELECT o.order_id, o.state, o.version, p.payment_id, c.provider_payment_id, c.currency, c.amount
        FROM charges c JOIN orders o USING (order_id) JOIN payments p USING (provider_payment_id)
        WHERE c.booked AND c.state = 'AUTHORIZED' AND NOT o.moving AND o.state IN ('FAILED', 'CANCELLED', 'REFUNDED')
        """,
        lambda row: (
            f"the order is {row['state']}, but Stripe still holds {money(row['amount'], row['currency'])} "
            f"with {row['provider_payment_id']}"
        ),
        "It has to be released.",
        (Remedy.CONFIRM_PAYMENT, Remedy.RETRY_ORDER),
    ),
    Rule(
        "payment_without_order",
        """
        SELECT p.order_id, p.payment_id, p.provider_payment_id, p.currency, p.captured - p.refunded AS kept
        FROM payments p LEFT JOIN orders o USING (order_id)
        WHERE o.order_id IS NULL AND (p.captured > p.refunded OR p.state = 'AUTHORIZED')
        """,
        lambda row: f"our ledger has {money(row['kept'], row['currency'])} of an order that does not exist",
        "Restore the order service's database, or refund the payment.",
    ),
)
"""Money against orders. Every cent is questioned once: what our ledger has (`booked`) with its order, others alone."""

LEDGER = (
    # A payment method that cannot be used fails the payment here, and leaves no trace on Stripe's intent: that is still
    # open, as before any attempt. Whatever it ever took would differ in `captured`.
    Rule(
        "ledger_differs",
        """
        SELECT p.order_id, p.payment_id, p.provider_payment_id, p.version, p.state, p.currency, p.amount, p.captured,
          p.refunded, c.state AS their_state, c.currency AS their_currency, c.amount AS their_amount,
          c.captured AS their_captured, c.refunded - c.elsewhere AS their_refunded
        FROM payments p LEFT JOIN charges c USING (provider_payment_id) LEFT JOIN orders o ON o.order_id = p.order_id
        WHERE p.updated <= :horizon AND NOT coalesce(o.moving, 0)
          AND (p.provider_payment_id <> '' OR p.captured > 0 OR p.state IN ('AUTHORIZED', 'SUCCEEDED'))
          AND (p.state, p.currency, p.amount, p.captured, p.refunded)
            IS NOT (iif(p.state = 'DECLINED' AND c.state = 'PENDING', p.state, c.state),
              c.currency, c.amount, c.captured, c.refunded - c.elsewhere)
        """,
        _differing,
        "The payment has to be read afresh.",
        (Remedy.CONFIRM_PAYMENT,),
    ),
    Rule(
        "refund_differs",
        """
        SELECT p.order_id, p.payment_id, p.version, p.currency, r.refund_id, r.provider_refund_id, r.state, r.amount,
          s.state AS their_state, s.amount AS their_amount
        FROM refunds r JOIN payments p USING (payment_id) LEFT JOIN charge_refunds s USING (provider_refund_id)
          LEFT JOIN orders o ON o.order_id = p.order_id
        WHERE p.updated <= :horizon AND NOT coalesce(o.moving, 0)
          AND (r.provider_refund_id <> '' OR r.state = 'SUCCEEDED')
          AND (r.state, r.amount) IS NOT (s.state, s.amount)
        """,
        _differing_refund,
        "The payment has to be read afresh.",
        (Remedy.CONFIRM_PAYMENT,),
    ),
    Rule(
        "refund_unbooked",
        """
        SELECT p.order_id, p.payment_id, p.version, s.provider_refund_id, s.provider_payment_id, s.currency, s.amount
        FROM charge_refunds s JOIN payments p USING (provider_payment_id) LEFT JOIN orders o ON o.order_id = p.order_id
        WHERE s.created <= :horizon AND s.state <> 'FAILED' AND NOT coalesce(o.moving, 0) AND s.refund_id <> ''
          AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.provider_refund_id = s.provider_refund_id)
        """,
        lambda row: (
            f"Stripe gave back {money(row['amount'], row['currency'])} of {row['provider_payment_id']} for us "
            f"({row['provider_refund_id']}), but our ledger does not have it"
        ),
        "The payment has to be read afresh.",
        (Remedy.CONFIRM_PAYMENT,),
    ),
    Rule(
        "refund_elsewhere",
        """
        SELECT p.order_id, p.payment_id, s.provider_refund_id, s.provider_payment_id, s.currency, s.amount
        FROM charge_refunds s JOIN payments p USING (provider_payment_id) LEFT JOIN orders o ON o.order_id = p.order_id
        WHERE s.created <= :horizon AND s.state <> 'FAILED' AND NOT coalesce(o.moving, 0) AND s.refund_id = ''
          AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.provider_refund_id = s.provider_refund_id)
        """,
        lambda row: (
            f"somebody gave back {money(row['amount'], row['currency'])} of {row['provider_payment_id']} "
            f"at Stripe itself ({row['provider_refund_id']}), but our ledger does not have it"
        ),
        "The payment has to be read afresh.",
        (Remedy.CONFIRM_PAYMENT,),
    ),
)
"""Our ledger against Stripe's record, refund by refund."""
