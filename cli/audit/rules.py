"""What has to hold between an order, our ledgers and the providers' lists.

A rule's question to the book finds what breaks it. Two things bound what is asked:

* An order that is still moving is left alone (`moving`), and so is what a provider did after the horizon.
* The providers' lists were read before our own, so that whatever they show has its order among ours already.
"""

import sqlite3

from cli.audit.rule import Remedy, Rule, money
from cli.audit.rules_holds import HOLDS
from cli.audit.rules_mails import MAIL
from cli.audit.rules_money import CHARGES, LEDGER
from cli.audit.rules_papers import TAX
from cli.audit.rules_refunds import REFUNDS
from cli.audit.rules_returns import RETURNS

PREPARATION = (
    # Which orders have not come to an end.
    "ALTER TABLE orders ADD COLUMN open GENERATED ALWAYS AS (state IN ('PENDING', 'PAYMENT_ACTION_REQUIRED')) VIRTUAL",
    # Which orders wait for their shipment with money that is held; one that is being prepared may.
    """
    ALTER TABLE orders ADD COLUMN held GENERATED ALWAYS AS
      (state = 'AUTHORIZED' OR (state = 'PROCESSING' AND on_shipment AND captured = 0)) VIRTUAL
    """,
    # Which orders had their money taken. REFUNDED ones did: their document and their confirmation stay.
    """
    ALTER TABLE orders ADD COLUMN paid GENERATED ALWAYS AS
      (state IN ('PAID', 'SHIPPED', 'DELIVERED', 'REFUNDED')
        OR (state = 'PROCESSING' AND NOT (on_shipment AND captured = 0))) VIRTUAL
    """,
    """
    CREATE VIEW sales AS SELECT * FROM documents WHERE kind = 'SalesInvoice' AND status = 'Committed'
    """,
    # What was taken back of sales; `named` where a refund of the order, and no release, is what it stands for.
    """
    CREATE VIEW returns AS
    SELECT substr(code, 1, 36) AS order_id, code, currency, amount, tax, EXISTS (
        SELECT 1 FROM order_refunds r WHERE r.document_code = code AND r.state <> 'FAILED') AS named
    FROM documents WHERE kind = 'ReturnInvoice' AND status = 'Committed'
      AND code GLOB '????????-????-????-????-????????????-*'
    """,
    # Charges that our ledger has belong to the order that it says, whatever Stripe's metadata say.
    "ALTER TABLE charges ADD COLUMN booked INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE charges SET booked = 1,
      order_id = (SELECT p.order_id FROM payments p WHERE p.provider_payment_id = charges.provider_payment_id)
    WHERE EXISTS (SELECT 1 FROM payments p WHERE p.provider_payment_id = charges.provider_payment_id)
    """,
    # What was given back of our payments by others, at Stripe's dashboard for instance, and our ledger has not taken in
    # yet: questioned by itself.
    "ALTER TABLE charges ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE charges SET elsewhere = strangers.amount
    FROM (SELECT provider_payment_id, sum(amount) AS amount FROM charge_refunds AS s
          WHERE refund_id = '' AND state <> 'FAILED'
            AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.provider_refund_id = s.provider_refund_id)
          GROUP BY provider_payment_id) AS strangers
    WHERE charges.provider_payment_id = strangers.provider_payment_id AND booked
    """,
    # Orders that were given up, and for which Stripe keeps and holds nothing.
    """
    CREATE VIEW unsold AS SELECT order_id, version, state FROM orders o
    WHERE state IN ('FAILED', 'CANCELLED') AND NOT EXISTS (
      SELECT 1 FROM charges c WHERE c.order_id = o.order_id AND (c.captured > c.refunded OR c.state = 'AUTHORIZED'))
    """,
    "CREATE INDEX charges_of_order ON charges (order_id, booked, captured, refunded, elsewhere, currency)",
    # Which orders have still to give back what was asked for.
    "ALTER TABLE orders ADD COLUMN refunding INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE orders SET refunding = 1
    WHERE order_id IN (SELECT order_id FROM order_refunds WHERE state = 'PENDING' AND provider_refund_id = '')
    """,
    # An order that goes on by itself, or where something happened so lately that the lists may show only a part of it.
    "ALTER TABLE orders ADD COLUMN moving INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE orders SET moving = 1
    WHERE ((open OR refunding) AND NOT needs_review)
      OR updated > :horizon
      OR order_id IN (SELECT order_id FROM payments WHERE updated > :horizon)
      OR order_id IN (SELECT order_id FROM charges WHERE created > :horizon)
      OR order_id IN (
        SELECT c.order_id FROM charge_refunds r JOIN charges c USING (provider_payment_id) WHERE r.created > :horizon)
    """,
)
"""What the questions lean on, worked out once everything was read."""

DIFFERENCES: tuple[Rule, ...] = (*CHARGES, *HOLDS, *LEDGER, *REFUNDS, *TAX, *RETURNS, *MAIL)
"""What must not be."""

REVIEWS: tuple[Rule, ...] = (
    Rule(
        "needs_review",
        "SELECT order_id, state, version FROM orders WHERE needs_review AND NOT open",
        lambda row: f"the order is {row['state']} and cannot go on by itself",
        "`ordermesh explain` tells why.",
        (Remedy.RETRY_ORDER,),
    ),
    # No remedy: its customer may be long gone, and to charge him now is for a person to decide.
    Rule(
        "needs_decision",
        "SELECT order_id, state, version FROM orders WHERE needs_review AND open",
        lambda row: f"the order is {row['state']} and cannot go on by itself",
        "`ordermesh explain` tells why; `ordermesh order retry` takes it up again, which may charge its customer.",
    ),
)
"""What a person was asked to look at."""


def _trued_up(row: sqlite3.Row) -> str:
    charged = "at the fallback rate" if row["tax_source"] == "FALLBACK" else "before the rates changed"
    difference = money(abs(row["difference"]), row["currency"])
    return f"charged {charged}; AvaTax recorded {difference} {'more' if row['difference'] > 0 else 'less'}"


NOTES: tuple[Rule, ...] = (
    Rule(
        "dispute_open",
        """
        SELECT order_id, payment_id, provider_dispute_id, state, currency, amount FROM disputes
        WHERE state IN ('INQUIRY', 'NEEDS_RESPONSE', 'UNDER_REVIEW')
        """,
        lambda row: (
            f"the customer's bank asks for {money(row['amount'], row['currency'])} ({row['provider_dispute_id']}, "
            f"{row['state']})"
        ),
        "Evidence is handed in at Stripe.",
    ),
    Rule(
        "tax_trued_up",
        """
        SELECT o.order_id, o.currency, o.tax_source, d.tax - o.tax AS difference
        FROM orders o JOIN sales d ON d.code = o.order_id
        WHERE NOT o.moving AND o.paid AND d.tax IS NOT o.tax AND d.currency = o.currency
          AND (d.tax - o.tax = o.difference OR (o.tax_source = 'FALLBACK' AND o.difference IS NULL))
        """,
        _trued_up,
        "It is recorded as it is.",
    ),
    Rule(
        "confirmation_undeliverable",
        """
        SELECT order_id, notification_id, state FROM notifications
        WHERE state IN ('UNDELIVERABLE', 'DROPPED', 'BOUNCED', 'SPAM_REPORTED')
        """,
        lambda row: f"the mail {row['notification_id']} is {row['state']}",
        "The customer's address does not work; write some other way.",
    ),
    # Never a difference: a provider may be away for that long, and the order goes on when it is back.
    Rule(
        "moving_for_long",
        """
        SELECT order_id, state, (:horizon - updated) / 3600000 AS hours FROM orders
        WHERE (open OR refunding) AND NOT needs_review AND updated <= :horizon - 86400000
        """,
        lambda row: f"the order is {row['state']} and what it waits for has not come for {row['hours']} hours",
        "It goes on by itself as soon as it can; `ordermesh explain` tells what it waits for.",
    ),
)
"""What is as it should be, and worth knowing."""
