"""The rules of what an order adds up to, and of the papers for what was given back of it."""

from cli.audit.rule import Remedy, Rule, money

RETURNS = (
    Rule(
        "sums_differ",
        """
        SELECT order_id, currency, subtotal, lines, tax, line_taxes, total FROM orders
        WHERE subtotal IS NOT lines
          OR (tax IS NOT NULL AND (tax IS NOT line_taxes OR total IS NOT subtotal + iif(included, 0, tax)))
        """,
        lambda row: (
            f"the order says {money(row['subtotal'], row['currency'])} and {money(row['tax'], row['currency'])} tax, "
            f"together {money(row['total'], row['currency'])}, and its lines come to "
            f"{money(row['lines'], row['currency'])} and {money(row['line_taxes'], row['currency'])} tax"
        ),
        "Tell us: this must not happen.",
    ),
    Rule(
        "return_missing",
        """
        SELECT o.order_id, o.version, o.currency, r.number, r.amount
        FROM order_refunds r JOIN orders o USING (order_id)
        WHERE NOT o.moving AND o.paid AND r.state <> 'FAILED' AND r.document_code = ''
        """,
        lambda row: (
            f"refund {row['number']} gave back {money(row['amount'], row['currency'])}, but no return is recorded"
        ),
        "The return has to be recorded.",
        (Remedy.RETRY_ORDER,),
    ),
    Rule(
        "return_lost",
        """
        SELECT o.order_id, o.currency, r.number, r.amount, r.document_code
        FROM order_refunds r JOIN orders o USING (order_id)
        WHERE NOT o.moving AND r.state <> 'FAILED' AND r.document_code <> ''
          AND NOT EXISTS (SELECT 1 FROM returns d WHERE d.code = r.document_code)
        """,
        lambda row: (
            f"the return {row['document_code']} of refund {row['number']} "
            f"({money(row['amount'], row['currency'])}) was recorded, and AvaTax has none such"
        ),
        "Restore it at AvaTax: whoever changed it there has to say why.",
    ),
    Rule(
        "return_differs",
        """
        SELECT o.order_id, o.currency, r.number, r.amount, r.tax, d.code, d.currency AS document_currency,
          -d.amount - d.tax AS recorded, -d.tax AS recorded_tax
        FROM order_refunds r JOIN orders o USING (order_id) JOIN returns d ON d.code = r.document_code
        WHERE NOT o.moving AND r.state <> 'FAILED'
          AND (d.currency, -d.amount - d.tax, -d.tax) IS NOT (o.currency, r.amount, r.tax)
        """,
        lambda row: (
            f"the return {row['code']} records {money(row['recorded'], row['document_currency'])} with "
            f"{money(row['recorded_tax'], row['document_currency'])} tax, but refund {row['number']} is "
            f"{money(row['amount'], row['currency'])} with {money(row['tax'], row['currency'])} tax"
        ),
        "Adjust the return at AvaTax.",
    ),
    # A part of a hold that was let go has a return of its own, which none of the order's refunds names.
    Rule(
        "release_differs",
        """
        SELECT * FROM (
          SELECT o.order_id, o.version, o.currency, o.released, (
            SELECT count(*) FROM returns d WHERE d.code BETWEEN o.order_id || '-' AND o.order_id || '.' AND NOT d.named)
            AS papers, coalesce((SELECT sum(-d.amount - d.tax) FROM returns d
              WHERE d.code BETWEEN o.order_id || '-' AND o.order_id || '.' AND NOT d.named), 0) AS recorded
          FROM orders o WHERE NOT o.moving AND NOT o.needs_review AND o.paid AND o.released > 0)
        WHERE (papers, recorded) IS NOT (1, released)
        """,
        lambda row: (
            f"{money(row['released'], row['currency'])} of the hold was let go, and AvaTax has {row['papers']} returns "
            f"for it, over {money(row['recorded'], row['currency'])}"
        ),
        "One return has to be recorded.",
        (Remedy.RETRY_ORDER,),
    ),
    # While somebody is asked to look at a refund that has failed, its return waits with it.
    Rule(
        "return_unfounded",
        """
        SELECT o.order_id, o.state, d.code, d.currency, -d.amount - d.tax AS recorded
        FROM returns d JOIN orders o USING (order_id)
        WHERE NOT o.moving AND NOT o.needs_review AND (NOT o.paid OR (o.released = 0 AND NOT d.named))
        """,
        lambda row: (
            f"AvaTax has a return of {money(row['recorded'], row['currency'])} ({row['code']}), for which nothing was "
            "given back"
        ),
        "Void it at AvaTax; after a refund that has failed, send that again instead (`ordermesh order retry`).",
    ),
)
"""Sale and returns are together what the customer goes on paying for, price and tax, to the minor unit."""
