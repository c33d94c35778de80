"""SendGrid's events: what became of a mail after it was accepted."""

from dataclasses import dataclass
from datetime import datetime

from notify_svc.domain.notification import State

# What each event proves. Every other one about a mail of ours (open, click, unsubscribe) proves that there was a mail.
_STATES = {
    "processed": State.SENT,
    "deferred": State.DEFERRED,
    "dropped": State.DROPPED,
    "delivered": State.DELIVERED,
    "bounce": State.BOUNCED,
    "blocked": State.BOUNCED,
    "spamreport": State.SPAM_REPORTED,
}


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """One event.

    Attributes:
        event_id: SendGrid's; the same again means the same event.
        kind: SendGrid's word: "delivered". A bounce of its type "blocked" is told as "blocked".
        notification_id: Of the notification whose mail it was; empty when the mail was none of ours.
        message_id: SendGrid's, as it was given when the mail was accepted.
        status: The receiving server's code, "5.1.1", or SendGrid's reason for dropping; empty when there is none.
        occurred_at: When it happened.
    """

    event_id: str
    kind: str
    notification_id: str
    message_id: str
    status: str
    occurred_at: datetime

    def proves(self) -> State:
        """Return the state that the notification has reached at least."""
        return _STATES.get(self.kind, State.SENT)

    def complaint(self) -> str:
        """Return what went wrong, in words without personal data; empty when nothing did."""
        match self.kind:
            case "bounce":
                return f"The recipient's mail server refused it ({self.status or 'no code'})"
            case "blocked":
                return f"The recipient's mail server blocked this one ({self.status or 'no code'})"
            case "dropped":
                return f"SendGrid dropped it ({self.status or 'no reason'})"
            case "deferred":
                # Each try may have its own code, and they come in any order.
                return "The recipient's mail server has put it off; SendGrid goes on trying"
            case "spamreport":
                return "The recipient has called it spam"
            case _:
                return ""
