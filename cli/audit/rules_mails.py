"""The rules of mails: each occasion has its one, and none is without."""

from cli.audit.rule import Remedy, Rule

MOST_MAILS = 3
"""notify_svc begins at most so many attempts whose end nobody knows, and each may have been a mail."""

MAIL = (
    Rule(
        "confirmation_missing",
        """
        SELECT o.order_id, o.state, o.version FROM orders o
        WHERE NOT o.moving AND (o.paid OR o.held) AND NOT EXISTS (
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
        WHERE n.kind = 'ORDER_CONFIRMATION' AND (o.order_id IS NULL OR NOT (
          o.paid OR o.held OR (o.on_shipment AND o.state IN ('FAILED', 'CANCELLED'))))
        """,
        lambda row: (
            f"the order is {row['state']}, but there is a confirmation of it "
            f"({row['notification_id']}, {row['mail_state']})"
        ),
        "Write to the customer: the order was never paid.",
    ),
    # What a person had sent again has no other occasion than that.
    # How often a customer is asked to act is not bounded by what the order shows.
    Rule(
        "mail_unfounded",
        """
        SELECT n.order_id, n.kind, count(*) AS mails, CASE n.kind
            WHEN 'ORDER_CONFIRMATION' THEN 1
            WHEN 'ORDER_SHIPPED' THEN coalesce(o.shipments, 0)
            WHEN 'ORDER_DELIVERED' THEN coalesce(o.state IN ('DELIVERED', 'REFUNDED'), 0)
            WHEN 'ORDER_CANCELLED' THEN coalesce(o.state = 'CANCELLED', 0)
            WHEN 'ORDER_REFUNDED' THEN (SELECT count(*) FROM order_refunds r WHERE r.order_id = n.order_id)
          END AS occasions
        FROM notifications n LEFT JOIN orders o USING (order_id)
        WHERE NOT n.resent
        GROUP BY n.order_id, n.kind HAVING mails > occasions
        """,
        lambda row: f"{row['mails']} mails {row['kind']} were asked for, and there was occasion for {row['occasions']}",
        "Tell us: this must not happen.",
    ),
    Rule(
        "mail_missing",
        """
        WITH asked AS (
          SELECT o.order_id, o.version, o.state, o.shipments, (
              SELECT count(*) FROM order_refunds r WHERE r.order_id = o.order_id AND r.state <> 'FAILED') AS refunds, (
              SELECT count(*) FROM notifications n
              WHERE n.order_id = o.order_id AND n.kind = 'ORDER_SHIPPED') AS shipped, (
              SELECT count(*) FROM notifications n
              WHERE n.order_id = o.order_id AND n.kind = 'ORDER_REFUNDED') AS returned, (
              SELECT count(*) FROM notifications n
              WHERE n.order_id = o.order_id AND n.kind = 'ORDER_' || o.state) AS ended
          FROM orders o
          WHERE NOT o.moving AND (o.shipments > 0 OR o.refunded > 0 OR o.state IN ('CANCELLED', 'DELIVERED')))
        SELECT order_id, version, state FROM asked
        WHERE shipped < shipments OR returned < refunds OR (state IN ('DELIVERED', 'CANCELLED') AND ended = 0)
        """,
        lambda row: f"the order is {row['state']}, and not every mail of what became of it was asked for",
        "The mails have to be sent.",
        (Remedy.RETRY_ORDER,),
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
"""A confirmation for each order that is paid or held, a mail for each shipment and refund, and none for any other."""
