"""A notification: one mail to one customer about one order."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from notify_svc.domain.content import NO_DETAILS, Details, OrderSummary


class Kind(Enum):
    """What a notification tells."""

    ORDER_CONFIRMATION = "ORDER_CONFIRMATION"
    PAYMENT_ACTION_REQUIRED = "PAYMENT_ACTION_REQUIRED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    ORDER_SHIPPED = "ORDER_SHIPPED"
    ORDER_DELIVERED = "ORDER_DELIVERED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_REFUNDED = "ORDER_REFUNDED"

    def needs(self) -> str:
        """Return the name of the detail that it cannot be told without; empty when the order is enough."""
        match self:
            case Kind.ORDER_SHIPPED:
                return "shipment"
            case Kind.ORDER_REFUNDED:
                return "refund"
            case Kind.PAYMENT_ACTION_REQUIRED | Kind.PAYMENT_FAILED:
                return "payment"
            case _:
                return ""


class State(Enum):
    """Where a notification stands."""

    ACCEPTED = "ACCEPTED"
    SENT = "SENT"
    DEFERRED = "DEFERRED"
    UNDELIVERABLE = "UNDELIVERABLE"
    DROPPED = "DROPPED"
    DELIVERED = "DELIVERED"
    BOUNCED = "BOUNCED"
    SPAM_REPORTED = "SPAM_REPORTED"

    def is_news(self) -> bool:
        """Say whether it means that the mail did not reach its reader, which the order's own service wants to know."""
        return self in {State.UNDELIVERABLE, State.DROPPED, State.BOUNCED, State.SPAM_REPORTED}


@dataclass(frozen=True, slots=True)
class Notification:
    """One mail to one customer about one order.

    Attributes:
        notification_id: Ours; later ones sort after earlier ones.
        version: One more with each change.
        kind: What it tells.
        recipient_email: Where it goes.
        recipient_name: How to address the recipient; may be empty.
        summary: The order as it was when this was asked for.
        traceparent: The trace in which it was asked for; empty when there was none.
        created_at: When it was accepted.
        details: What it tells besides.
        locale: The language and region that it is written for, "de-AT"; empty means the shop's own.
        request_id: The key that it was asked for with; empty for those of before it was kept.
        resent_from: The notification that a person had sent again by this one; empty for all others.
        resent_by: Who that was: "key:support"; empty for all others.
        state: Where it stands.
        attempts: How often sending was started.
        open_attempts: How many of those nobody knows the end of, the one under way among them.
        provider_message_id: The mail provider's; empty until it accepted the mail.
        last_error: What went wrong last, without personal data; empty when nothing did.
        sent_at: When the mail provider accepted it.
        due_at: When sending is tried, or tried again. While an attempt is under way: when it counts as abandoned. None
            when nothing is planned any more.
        news_at: Since when it is news that it did not reach its reader. None when it is none, or was heard.
    """

    notification_id: str
    version: int
    kind: Kind
    recipient_email: str
    recipient_name: str
    summary: OrderSummary
    traceparent: str
    created_at: datetime
    details: Details = NO_DETAILS
    locale: str = ""
    request_id: str = ""
    resent_from: str = ""
    resent_by: str = ""
    state: State = State.ACCEPTED
    attempts: int = 0
    open_attempts: int = 0
    provider_message_id: str = ""
    last_error: str = ""
    sent_at: datetime | None = None
    due_at: datetime | None = None
    news_at: datetime | None = None


def one_line(text: str) -> str:
    """Return the text without line ends and other characters that nobody sees, in one line."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())
