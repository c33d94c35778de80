"""Every kind of difference, made on purpose in a world that agrees."""

from collections.abc import Callable

from cli.audit.rows import (
    ChargeRefundRow,
    ChargeRow,
    DocumentRow,
    MailRow,
    NotificationRow,
    OrderRow,
    PaymentRow,
    Row,
)
from tests.fakes.audit_world import (
    AuditWorld,
    confirmation,
    declined_order,
    held_order,
    identity,
    refunded_order,
    shipped_order,
)

ORDER, PAYMENT = identity(1), identity(1, "1")


def order_failed(world: AuditWorld) -> None:
    world.change(OrderRow, state="FAILED")
    world.drop(DocumentRow)
    world.drop(NotificationRow)


def given_back(world: AuditWorld, refund_id: str) -> None:
    """Refund the order at Stripe; with an id of ours it is a refund that our ledger has lost."""
    world.change(ChargeRow, refunded=1085)
    world.rows.append(ChargeRefundRow("re_9", refund_id, "pi_1", "SUCCEEDED", "USD", 1085, 0))


def refund_unbooked(world: AuditWorld) -> None:
    given_back(world, identity(9, "3"))


def refunded_at_the_dashboard(world: AuditWorld) -> None:
    given_back(world, "")


def document_unmade(world: AuditWorld) -> None:
    world.drop(DocumentRow)
    world.change(OrderRow, document_code="")


def no_such_order(world: AuditWorld) -> None:
    world.rows.append(ChargeRow("pi_9", identity(9, "1"), identity(9), "SUCCEEDED", "USD", 700, 700, 0, 0))


def second_intent(world: AuditWorld) -> None:
    world.rows.append(ChargeRow("pi_9", PAYMENT, ORDER, "SUCCEEDED", "USD", 1085, 1085, 0, 0))


def forgotten_hold(world: AuditWorld) -> None:
    order_failed(world)
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, state="AUTHORIZED", captured=0)


def orphan_hold(world: AuditWorld) -> None:
    world.rows.append(ChargeRow("pi_9", PAYMENT, ORDER, "AUTHORIZED", "USD", 1085, 0, 0, 0))


def orders_lost(world: AuditWorld) -> None:
    for kind in (OrderRow, DocumentRow, NotificationRow):
        world.drop(kind)


def refund_lost(world: AuditWorld) -> None:
    world.rows = refunded_order(1)
    world.drop(ChargeRefundRow)


def refund_failed_later(world: AuditWorld) -> None:
    world.rows = refunded_order(1)
    world.change(ChargeRefundRow, state="FAILED")


def document_of_none(world: AuditWorld) -> None:
    world.rows.append(DocumentRow(identity(9), "SalesInvoice", "Committed", "USD", 1000, 85))


def declined_and_recorded(world: AuditWorld) -> None:
    world.rows = [*declined_order(1), DocumentRow(ORDER, "SalesInvoice", "Committed", "USD", 1000, 85)]


def declined_and_told(world: AuditWorld) -> None:
    world.rows = [*declined_order(1), confirmation(1)]


def charged_too_much(world: AuditWorld) -> None:
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, captured=2000)


def held_and_recorded(world: AuditWorld) -> None:
    world.rows = [*held_order(1), DocumentRow(ORDER, "SalesInvoice", "Committed", "USD", 1000, 85)]


def told_of(world: AuditWorld, kind: str) -> None:
    mail = confirmation(1, kind, "6")._replace(provider_message_id="message-more")
    world.rows += [mail, MailRow("message-more", "", "delivered", 0)]


def told_again(world: AuditWorld) -> None:
    told_of(world, "ORDER_CONFIRMATION")


def told_of_no_shipment(world: AuditWorld) -> None:
    told_of(world, "ORDER_SHIPPED")


def told_of_no_refund(world: AuditWorld) -> None:
    told_of(world, "ORDER_REFUNDED")


def told_of_no_end(world: AuditWorld) -> None:
    told_of(world, "ORDER_CANCELLED")


def untold(rows: list[Row], kind: str) -> list[Row]:
    return [row for row in rows if not isinstance(row, NotificationRow) or row.kind != kind]


def shipped_untold(world: AuditWorld) -> None:
    world.rows = untold(shipped_order(1), "ORDER_SHIPPED")


def refunded_untold(world: AuditWorld) -> None:
    world.rows = untold(refunded_order(1), "ORDER_REFUNDED")


def cancelled_untold(world: AuditWorld) -> None:
    world.rows = declined_order(1)
    world.change(OrderRow, state="CANCELLED")


def many_mails(world: AuditWorld) -> None:
    world.rows += [MailRow(f"copy-{copy}", identity(1, "2"), "delivered", 0) for copy in range(3)]


# What is done to an order that went through; the kinds that it has to be found as; and words that tell of it.
DONE: dict[str, tuple[Callable[[AuditWorld], None], set[str], str]] = {
    "failed, but charged": (order_failed, {"money_differs"}, "FAILED, but Stripe keeps 10.85 USD"),
    "refund that our ledger lost": (
        refund_unbooked,
        {"money_differs", "ledger_differs", "refund_unbooked"},
        "PAID over 10.85 USD, but Stripe keeps 0.00 USD",
    ),
    "refund at the dashboard": (
        refunded_at_the_dashboard,
        {"refund_elsewhere"},
        "somebody gave back 10.85 USD of pi_1",
    ),
    "refunded by less": (
        lambda world: world.change(OrderRow, refunded=500),
        {"money_differs", "refunds_do_not_add_up"},
        "PAID over 5.85 USD, but Stripe keeps 10.85 USD",
    ),
    "charged in another currency": (
        lambda world: world.change(ChargeRow, currency="EUR"),
        {"money_differs", "ledger_differs"},
        "keeps 10.85 EUR",
    ),
    "charge without an order": (no_such_order, {"orphan_charge"}, "took 7.00 USD with pi_9"),
    "second charge": (second_intent, {"second_charge"}, "took 10.85 USD with pi_9 for this order"),
    "lost payment": (
        lambda world: world.drop(PaymentRow),
        {"unbooked_charge", "money_differs"},
        "our payment ledger has lost",
    ),
    "forgotten hold": (forgotten_hold, {"forgotten_hold"}, "still holds 10.85 USD with pi_1"),
    "hold of nobody": (orphan_hold, {"orphan_hold"}, "holds 10.85 USD with pi_9"),
    "lost order": (orders_lost, {"payment_without_order"}, "10.85 USD of an order that does not exist"),
    "ledger behind": (
        lambda world: world.change(PaymentRow, state="PENDING", captured=0),
        {"ledger_differs"},
        "PENDING against SUCCEEDED, captured 0.00 USD against 10.85 USD",
    ),
    "charge unknown to Stripe": (
        lambda world: world.drop(ChargeRow),
        {"money_differs", "ledger_differs"},
        "Stripe does not list it",
    ),
    "refund unknown to Stripe": (
        refund_lost,
        {"refund_differs", "order_refund_differs"},
        "re_1 (5.00 USD SUCCEEDED), but Stripe does not",
    ),
    "refund that failed later": (
        refund_failed_later,
        {"refund_differs", "order_refund_differs"},
        "5.00 USD FAILED at Stripe",
    ),
    "charged too much": (charged_too_much, {"charged_too_much", "money_differs"}, "the order comes to 10.85 USD"),
    "no document": (document_unmade, {"tax_missing"}, "no committed document of it (0.85 USD tax)"),
    "document that is gone": (lambda world: world.drop(DocumentRow), {"tax_lost"}, "is no longer at AvaTax"),
    "voided document": (lambda world: world.change(DocumentRow, status="Cancelled"), {"tax_lost"}, "is Cancelled"),
    "document not noted": (lambda world: world.change(OrderRow, document_code=""), {"tax_unnoted"}, "notes none"),
    "other amount": (
        lambda world: world.change(DocumentRow, amount=999),
        {"tax_differs"},
        "9.99 USD plus 0.85 USD tax",
    ),
    "other tax": (lambda world: world.change(DocumentRow, tax=90), {"tax_differs"}, "10.00 USD plus 0.90 USD tax"),
    "document of no order": (document_of_none, {"tax_orphan"}, "over 10.00 USD"),
    "document of a failed order": (declined_and_recorded, {"tax_to_void"}, "FAILED and nothing is kept for it"),
    "document of an order that is held": (held_and_recorded, {"tax_of_unpaid"}, "AUTHORIZED, but AvaTax has"),
    "no confirmation": (lambda world: world.drop(NotificationRow), {"confirmation_missing"}, "no confirmation"),
    "confirmation of a failed order": (declined_and_told, {"confirmation_unpaid"}, "FAILED, but there is a confirm"),
    "parked mail": (
        lambda world: world.change(NotificationRow, state="ACCEPTED", sent=None),
        {"confirmation_parked"},
        "nobody knows",
    ),
    "mail unknown to SendGrid": (
        lambda world: world.change(MailRow, provider_message_id="another"),
        {"mail_unlisted"},
        "does not list message-1",
    ),
    "second confirmation": (told_again, {"mail_unfounded"}, "2 mails ORDER_CONFIRMATION were asked for"),
    "mail of no shipment": (told_of_no_shipment, {"mail_unfounded"}, "there was occasion for 0"),
    "mail of no refund": (told_of_no_refund, {"mail_unfounded"}, "1 mails ORDER_REFUNDED"),
    "cancelled for the customer alone": (told_of_no_end, {"mail_unfounded"}, "1 mails ORDER_CANCELLED"),
    "shipment without a mail": (shipped_untold, {"mail_missing"}, "SHIPPED, and not every mail"),
    "refund without a mail": (refunded_untold, {"mail_missing"}, "PAID, and not every mail"),
    "cancelled without a mail": (cancelled_untold, {"mail_missing"}, "CANCELLED, and not every mail"),
    "too many mails": (many_mails, {"mails_beyond_bound"}, "sent one mail 4 times"),
}
