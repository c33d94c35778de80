"""A notification: one mail to one customer about one order."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from kernel.address import Address
from kernel.money import Money


class Kind(Enum):
    """What a notification tells."""

    ORDER_CONFIRMATION = "ORDER_CONFIRMATION"


class State(Enum):
    """Where a notification stands."""

    ACCEPTED = "ACCEPTED"
    SENT = "SENT"
    UNDELIVERABLE = "UNDELIVERABLE"
    DELIVERED = "DELIVERED"
    BOUNCED = "BOUNCED"


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One line of an order.

    Attributes:
        description: In words.
        quantity: How many.
        amount: The extended price, before tax.
    """

    description: str
    quantity: int
    amount: Money


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """What a mail says about an order.

    Attributes:
        order_id: Which order.
        lines: What was bought.
        subtotal: Before tax.
        tax: The tax.
        total: What the customer pays.
        ship_to: Where the goods go.
    """

    order_id: str
    lines: tuple[SummaryLine, ...]
    subtotal: Money
    tax: Money
    total: Money
    ship_to: Address


@dataclass(frozen=True, slots=True)
class Notification:
    """One mail to one customer about one order.

    Attributes:
        notification_id: Ours; later ones sort after earlier ones.
        version: One more with each change.
        kind: What it tells.
        recipient_email: Where it goes.
        recipient_name: How to address the recipient; may be empty.
        summary: What was true when it was asked for.
        traceparent: The trace in which it was asked for; empty when there was none.
        created_at: When it was accepted.
        state: Where it stands.
        attempts: How often sending was started.
        open_attempts: How many of those nobody knows the end of, the one under way among them.
        provider_message_id: SendGrid's; empty until it accepted the mail.
        last_error: What went wrong last, without personal data; empty when nothing did.
        sent_at: When SendGrid accepted it.
        due_at: When sending is tried, or tried again. While an attempt is under way: when it counts as abandoned. None
            when nothing is planned any more.
    """

    notification_id: str
    version: int
    kind: Kind
    recipient_email: str
    recipient_name: str
    summary: OrderSummary
    traceparent: str
    created_at: datetime
    state: State = State.ACCEPTED
    attempts: int = 0
    open_attempts: int = 0
    provider_message_id: str = ""
    last_error: str = ""
    sent_at: datetime | None = None
    due_at: datetime | None = None


def one_line(text: str) -> str:
    """Return the text without line ends and other characters that nobody sees, in one line."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())
