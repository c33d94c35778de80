"""What a mail tells: kept with its notification, so that it says what was true when it was asked for."""

from dataclasses import dataclass
from datetime import datetime

from kernel.address import Address
from kernel.money import Money


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One line of an order.

    Attributes:
        description: In words.
        quantity: How many.
        amount: The extended price, before tax unless prices include it; negative for a discount.
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
        subtotal: The sum of the lines.
        tax: The tax.
        total: What the customer pays.
        ship_to: Where the goods go.
        prices_include_tax: Whether the tax is in the lines; the total is then the subtotal.
        reference: By which the customer knows the order; may be empty.
    """

    order_id: str
    lines: tuple[SummaryLine, ...]
    subtotal: Money
    tax: Money
    total: Money
    ship_to: Address
    prices_include_tax: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Shipment:
    """Goods that are on their way.

    Attributes:
        lines: What is in it; may be empty.
        carrier: Who carries it; may be empty.
        tracking_number: May be empty.
        tracking_url: An https address; may be empty.
        more_to_come: Whether more of the order follows later.
    """

    lines: tuple[SummaryLine, ...] = ()
    carrier: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    more_to_come: bool = False


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back.

    Attributes:
        amount: Now.
        total: In all.
        lines: What was given back; may be empty.
    """

    amount: Money
    total: Money
    lines: tuple[SummaryLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that waits for the customer, or has failed.

    Attributes:
        message: What went wrong, for the customer; may be empty.
        act_before: Until when the customer can do something about it; None when nothing can be done any more.
    """

    message: str = ""
    act_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """What some kinds of mail tell besides the order; None where there is nothing of it to tell."""

    shipment: Shipment | None = None
    refund: Refund | None = None
    payment: Payment | None = None


NO_DETAILS = Details()


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, written.

    Attributes:
        recipient_name: As it stands beside the address; may be empty.
        subject: One line.
        text: The plain part.
        html: The part for eyes.
    """

    recipient_name: str
    subject: str
    text: str
    html: str
