"""An order that never was, to see what mails look like and whether the shop's templates can be filled in."""

from dataclasses import replace
from datetime import datetime, timedelta

from kernel.address import Address
from kernel.money import Money
from notify_svc.domain.content import Details, OrderSummary, Payment, Refund, Shipment, SummaryLine
from notify_svc.domain.notification import Kind, Notification

_ID = "01890000-0000-7000-8000-000000000000"


def sample_order() -> OrderSummary:
    """Return two articles, shipping and a discount."""

    def line(description: str, quantity: int, cents: int) -> SummaryLine:
        return SummaryLine(description, quantity, Money("EUR", cents))

    return OrderSummary(
        order_id=_ID,
        lines=(
            line("Mug, blue", 2, 2598),
            line("Assam tea, 250 g", 1, 1290),
            line("Shipping", 1, 490),
            line("SUMMER26", 1, -500),
        ),
        subtotal=Money("EUR", 3878),
        tax=Money("EUR", 737),
        total=Money("EUR", 4615),
        ship_to=Address("Musterstraße 12", "", "Berlin", "", "10115", "DE"),
        reference="SAMPLE-1042",
    )


def sample_details(kind: Kind, order: OrderSummary, now: datetime) -> Details:
    """Return what a mail of this kind needs besides the order, out of that order."""
    articles = tuple(line for line in order.lines if line.amount.minor_units > 0)[:1]
    match kind.needs():
        case "shipment":
            url = "https://tracking.example/PS123456789"
            return Details(Shipment(articles, "Parcel Service", "PS123456789", url, more_to_come=True))
        case "refund":
            part = articles[0].amount if articles else order.total
            return Details(refund=Refund(part, part, articles))
        case "payment":
            message = "" if kind is Kind.PAYMENT_ACTION_REQUIRED else "The card has insufficient funds."
            return Details(payment=Payment(message, now + timedelta(hours=24)))
        case _:
            return Details()


def sample(kind: Kind, locale: str, now: datetime, order: OrderSummary | None = None) -> Notification:
    """Return a notification that was never asked for.

    Args:
        kind: What it tells.
        locale: What it is written for.
        now: When.
        order: What it is about, when that is given.
    """
    order = order or sample_order()
    return Notification(
        notification_id=_ID,
        version=1,
        kind=kind,
        recipient_email="ada@example.com",
        recipient_name="Ada Lovelace",
        summary=order,
        traceparent="",
        created_at=now,
        details=sample_details(kind, order, now),
        locale=locale,
    )


def samples(locale: str, now: datetime) -> list[Notification]:
    """Return a notification of every kind with all that it may tell, and one with as little as there may be."""
    full = [sample(kind, locale, now) for kind in Kind]
    return full + [_bare(each) for each in full]


def _bare(notification: Notification) -> Notification:
    order, details = notification.summary, notification.details
    address = replace(order.ship_to, postal_code="")
    return replace(
        notification,
        recipient_name="",
        summary=replace(
            order, reference="", prices_include_tax=True, total=order.subtotal, ship_to=address, lines=order.lines[:1]
        ),
        details=Details(
            details.shipment and Shipment(),
            details.refund and replace(details.refund, lines=()),
            details.payment and Payment(),
        ),
    )
