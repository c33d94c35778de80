"""SendGrid's events: what became of a mail after it was accepted."""

from dataclasses import dataclass
from datetime import datetime

from notify_svc.domain.notification import State

# What each event proves. The others (open, click, spam report, unsubscribe) come after delivery and are kept, no more.
_STATES = {
    "processed": State.SENT,
    "deferred": State.SENT,
    "dropped": State.UNDELIVERABLE,
    "delivered": State.DELIVERED,
    "bounce": State.BOUNCED,
}


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """One event.

    Attributes:
        event_id: SendGrid's; the same again means the same event.
        kind: SendGrid's word: "delivered".
        notification_id: Of the notification whose mail it was; empty when the mail was none of ours.
        message_id: SendGrid's, as it was given when the mail was accepted.
        status: The receiving server's code, "5.1.1"; empty when there is none.
        occurred_at: When it happened.
    """

    event_id: str
    kind: str
    notification_id: str
    message_id: str
    status: str
    occurred_at: datetime

    def proves(self) -> State | None:
        """Return the state that the notification has reached, if the event says so."""
        return _STATES.get(self.kind)

    def complaint(self) -> str:
        """Return what went wrong, in words without personal data; empty when nothing did."""
        match self.proves():
            case State.BOUNCED:
                return f"The recipient's mail server refused it ({self.status or 'no code'})"
            case State.UNDELIVERABLE:
                return "SendGrid dropped it: the address bounced before or asked for no mail"
            case _:
                return ""
