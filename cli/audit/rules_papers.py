"""The rules of what is sold on paper: each paid order has its document, and no other has one."""

import sqlite3

from cli.audit.rule import Remedy, Rule, money


def _differing_document(row: sqlite3.Row) -> str:
    currency = row["document_currency"]
    recorded = f"{money(row['recorded'], currency)} plus {money(row['recorded_tax'], currency)} tax"
    sold = f"{money(row['net'], row['currency'])} plus {money(row['tax'], row['currency'])} tax"
    return f"AvaTax records {recorded}, but the order says {sold}"


TAX = (
    Rule(
        "tax_missing",
        """
        SELECT o.order_id, o.state, o.version, o.currency, o.tax FROM orders o
        WHERE NOT o.moving AND o.paid AND o.document_code = ''
          AND NOT EXISTS (SELECT 1 FROM sales d WHERE d.code = o.order_id)
        """,
        lambda row: (
            f"the order is {row['state']}, but AvaTax has no committed document of it "
            f"({money(row['tax'], row['currency'])} tax)"
        ),
        "The document has to be committed.",
        (Remedy.RETRY_ORDER,),
    ),
    Rule(
        "tax_lost",
        """
        SELECT o.order_id, o.state, o.currency, o.tax, (
          SELECT d.status FROM documents d WHERE d.code = o.order_id AND d.kind = 'SalesInvoice') AS status
        FROM orders o
        WHERE NOT o.moving AND o.paid AND o.document_code <> ''
          AND NOT EXISTS (SELECT 1 FROM sales d WHERE d.code = o.order_id)
        """,
        lambda row: (
            f"the document of the order ({money(row['tax'], row['currency'])} tax) was committed, "
            f"and is {row['status'] or 'no longer'} at AvaTax"
        ),
        "Restore it at AvaTax: whoever changed it there has to say why.",
    ),
    Rule(
        "tax_unnoted",
        """
        SELECT o.order_id, o.version, o.document_code FROM orders o
          JOIN sales d ON d.code = o.order_id
        WHERE NOT o.moving AND o.paid AND o.document_code <> o.order_id
        """,
        lambda row: f"AvaTax has the document of the order, but the order notes {row['document_code'] or 'none'}",
        "The order has to ask for it again.",
        (Remedy.RETRY_ORDER,),
    ),
    Rule(
        "tax_differs",
        """
        SELECT o.order_id, o.currency, o.subtotal - iif(o.included, o.tax, 0) AS net, o.tax,
          d.currency AS document_currency, d.amount AS recorded, d.tax AS recorded_tax
        FROM orders o JOIN sales d ON d.code = o.order_id
        WHERE NOT o.moving AND o.paid AND (
          (d.currency, d.amount) IS NOT (o.currency, o.subtotal - iif(o.included, d.tax, 0))
          OR (d.tax IS NOT o.tax + coalesce(o.difference, 0)
            AND NOT (o.tax_source = 'FALLBACK' AND o.difference IS NULL)))
        """,
        _differing_document,
        "Adjust the document at AvaTax, or settle the difference with the customer.",
    ),
    Rule(
        "tax_of_unpaid",
        """
        SELECT o.order_id, o.state, d.currency, d.tax
        FROM sales d JOIN orders o ON o.order_id = d.code
        WHERE NOT o.paid AND NOT EXISTS (SELECT 1 FROM unsold u WHERE u.order_id = o.order_id)
        """,
        lambda row: (
            f"the order is {row['state']}, but AvaTax has a committed document of it "
            f"({money(row['tax'], row['currency'])} tax)"
        ),
        "Void the document at AvaTax, unless the order is paid after all.",
    ),
    # Neither we nor Stripe keep anything of it: whatever made the document, no sale stands behind it.
    Rule(
        "tax_to_void",
        """
        SELECT o.order_id, o.version, o.state, d.currency, d.tax
        FROM sales d JOIN unsold o ON o.order_id = d.code
        """,
        lambda row: (
            f"the order is {row['state']} and nothing is kept for it, but AvaTax has a committed document of it "
            f"({money(row['tax'], row['currency'])} tax)"
        ),
        "The document has to be voided.",
        (Remedy.VOID_TAX,),
    ),
    Rule(
        "tax_orphan",
        """
        SELECT d.code AS order_id, d.currency, d.amount, d.tax FROM sales d LEFT JOIN orders o ON o.order_id = d.code
        WHERE o.order_id IS NULL AND d.code GLOB '????????-????-????-????-????????????'
        """,
        lambda row: (
            f"AvaTax has a committed document over {money(row['amount'], row['currency'])}, but there is no such order"
        ),
        "Void the document at AvaTax, unless another system uses ids like ours.",
    ),
)
"""Exactly one committed document for each paid order, with its amounts, and none for any other."""
