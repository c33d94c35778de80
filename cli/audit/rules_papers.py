"""The rules of what goes with the money: tax documents and mails."""

import sqlite3

from cli.audit.rule import Remedy, Rule, money

MOST_MAILS = 3
"""notify_svc begins at most so many attempts whose end nobody knows, and each may have been a mail."""


def _differing_document(row: sqlite3.Row) -> str:
    currency = row["document_currency"]
    recorded = f"{money(row['recorded'], currency)} plus {money(row['recorded_tax'], currency)} tax"
    sold = f"{money(row['subtotal'], row['currency'])} plus {money(row['tax'], row['currency'])} tax"
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
        SELECT o.order_id, o.currency, o.subtotal, o.tax, d.currency AS document_currency, d.amount AS recorded,
          d.tax AS recorded_tax
        FROM orders o JOIN sales d ON d.code = o.order_id
        WHERE NOT o.moving AND o.paid AND (
          (d.currency, d.amount) IS NOT (o.currency, o.subtotal) OR (d.tax IS NOT o.tax AND o.tax_source <> 'FALLBACK'))
        """,
        _differing_document,
        "Adjust the document at AvaTax, or settle the difference with the customer.",
    ),
    Rule(
        "tax_of_unpaid",
        """
        SELECT o.order_id, o.state, d.currency, d.tax
        FROM sales d JOIN orders o ON o.order_id = d.code
        WHERE NOT o.paid
        """,
        lambda row: (
            f"the order is {row['state']}, but AvaTax has a committed document of it "
            f"({money(row['tax'], row['currency'])} tax)"
        ),
        "Void the document at AvaTax.",
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

MAIL = (
    Rule(
        "confirmation_missing",
        """
        SELECT o.order_id, o.state, o.version FROM orders o
        WHERE NOT o.moving AND o.paid AND NOT EXISTS (
          SELECT 1 FROM notifications n WHERE n.order_id = o.order_id AND n.kind = 'ORDER_CONFIRMATION')
        """,
        lambda row: f"the order is {row['state']}, but no confirmation was asked for",
        "The confirmation has to be sent.",
        (Remedy.RETRY_ORDER,),
    ),
    Rule(
        "confirmation_unpaid",
        """
        SELECT n.order_id, n.notification_id, n.state AS mail_state, coalesce(o.state, 'not known') AS state
        FROM notifications n LEFT JOIN orders o USING (order_id)
        WHERE n.kind = 'ORDER_CONFIRMATION' AND (o.order_id IS NULL OR NOT o.paid)
        """,
        lambda row: (
            f"the order is {row['state']}, but there is a confirmation of it "
            f"({row['notification_id']}, {row['mail_state']})"
        ),
        "Write to the customer: the order was never paid.",
    ),
    Rule(
        "confirmation_parked",
        """
        SELECT n.order_id, n.notification_id FROM notifications n
        WHERE n.state = 'ACCEPTED' AND NOT n.is_due AND n.created <= :horizon
        """,
        lambda row: f"nobody knows whether the mail {row['notification_id']} reached the customer",
        "Look for it at SendGrid; it is not sent again by itself.",
    ),
    Rule(
        "mail_unlisted",
        """
        SELECT n.order_id, n.notification_id, n.provider_message_id, n.state FROM notifications n
        WHERE n.state IN ('SENT', 'DEFERRED', 'DELIVERED', 'SPAM_REPORTED')
          AND n.sent BETWEEN :feed_from AND :horizon AND NOT EXISTS (
          SELECT 1 FROM mails m WHERE m.provider_message_id = n.provider_message_id)
        """,
        lambda row: (
            f"the mail {row['notification_id']} is {row['state']}, but SendGrid does not list "
            f"{row['provider_message_id'] or 'it'}"
        ),
        "Look for it at SendGrid, and write to the customer if it is lost.",
    ),
    Rule(
        "mails_beyond_bound",
        """
        SELECT n.order_id, count(*) AS mails FROM mails m JOIN notifications n
          ON n.notification_id = m.notification_id
          OR (m.notification_id = '' AND n.provider_message_id = m.provider_message_id)
        GROUP BY n.order_id, n.notification_id HAVING count(*) > :most_mails
        """,
        lambda row: f"SendGrid sent one mail {row['mails']} times, and never more than {MOST_MAILS} should be",
        "Tell us: this must not happen.",
    ),
)
"""A confirmation for each paid order, and none for any other."""
