"""What an order makes of hearing that a mail did not reach its reader."""

from datetime import datetime

from order_svc.domain.hold import looked_at
from order_svc.domain.order import Alert, Order, Stage
from order_svc.domain.transition import Transition, moved

# The mail that a customer waits for; that another one bounced is told, and nobody is called.
_CONFIRMATION = "order_confirmation"


def after_bounce(
    order: Order, notification_id: str, mail: str, became: str, cause: str, now: datetime
) -> Transition | None:
    """Return the order with an alert; None when it has it already.

    Args:
        order: As it stands, and may_hear of it.
        notification_id: notify_svc's id of the mail.
        mail: What it told: "order_confirmation".
        became: What became of it: "bounced".
        cause: The mail server's words; may be empty.
        now: The time.
    """
    kind = f"mail.{became}"
    if any((alert.kind, alert.subject) == (kind, notification_id) for alert in order.alerts):
        return None
    why = f": {cause}" if cause else ""
    message = f"The mail {mail.replace('_', ' ')} did not reach its reader ({became.replace('_', ' ')}{why})."
    alerts = (*order.alerts, Alert(kind, notification_id, message, now))
    review = order.needs_review or mail == _CONFIRMATION
    alerted = moved(order, now, alerts=alerts, needs_review=review)
    wake_at = looked_at(order, now) if order.stage is Stage.HOLDING else None
    return Transition(alerted, kind, {"notification_id": notification_id, "mail": mail}, wake_at=wake_at)


def may_hear(order: Order) -> bool:
    """Say whether the order is at rest, so that a word about a mail disturbs nobody who works on it.

    The others come to rest, or to their end, within the time that a customer may take.
    """
    return order.stage in {Stage.SETTLED, Stage.HOLDING}
