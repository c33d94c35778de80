"""What the payment service need not keep for ever.

Payments, refunds and disputes are the books. Its idempotency keys are kept with them: they are what makes money move
once, also for an order that somebody takes up again after years.
"""

from sqlalchemy import and_

from chassis.storage.retention import Rule
from payment_svc.adapters.tables import STRIPE_EVENTS

RULES = (
    # Stripe sends an event for three days by itself, and on request for thirty.
    Rule(
        "events",
        "ids of Stripe's events that were applied",
        90,
        STRIPE_EVENTS,
        lambda old: and_(STRIPE_EVENTS.c.received_at < old, STRIPE_EVENTS.c.look_at.is_(None)),
    ),
)
