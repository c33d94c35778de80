"""The checker sees what it is there for: each thing that can be wrong with an order is told."""

from collections.abc import Callable

import pytest

from tests.failure.checker import Seen, check
from tests.failure.shop import Asked, Customer, Json

PAID, FAILED = "o-paid", "o-failed"


def asked() -> list[Asked]:
    """Return what shops were told of a paid and of a failed order."""
    return [
        Asked("k-1", Customer("pm_card_visa", "PAID"), [(PAID, "PENDING", 1.0), (PAID, "PAID", 2.0)]),
        Asked("k-2", Customer("pm_card_chargeDeclined", "FAILED"), [(FAILED, "FAILED", 1.5)]),
    ]


def seen() -> Seen:
    """Return what there is when all is well."""
    return Seen(
        orders={PAID: {"state": "PAID", "total": money(500)}, FAILED: {"state": "FAILED", "total": money(300)}},
        payments={PAID: [{"captured": money(500)}], FAILED: [{"captured": money(0)}]},
        notifications={PAID: [{"state": "DELIVERED"}]},
        charges={PAID: [charge()]},
        documents={PAID: [{"type": "SalesInvoice", "status": "Committed"}]},
        mails={PAID: [{}]},
    )


def money(minor_units: int) -> Json:
    return {"minor_units": minor_units}


def charge(**changes: object) -> Json:
    return {"amount": 500, "amount_refunded": 0, "status": "succeeded", **changes}


def test_nothing_is_said_when_all_is_well() -> None:
    assert check(asked(), seen()) == []


WRONG: dict[str, Callable[[Seen], object]] = {
    "was told and is lost": lambda it: it.orders.pop(PAID),
    "was told PAID": lambda it: it.orders[PAID].update(state="FAILED"),
    "is still PENDING": lambda it: it.orders[FAILED].update(state="PENDING"),
    "its customer should make it FAILED": lambda it: it.orders[FAILED].update(state="PAID"),
    "a person would have to look": lambda it: it.orders[PAID].update(needs_review=True),
    "it was charged 2 times": lambda it: it.charges[PAID].append(charge()),
    "500 is due, Stripe has 0": lambda it: it.charges[PAID].clear(),
    "500 is due, Stripe has 400": lambda it: it.charges[PAID][0].update(amount_refunded=100),
    "payment_svc says 0": lambda it: it.payments[PAID].clear(),
    "money is held": lambda it: it.charges[PAID][0].update(status="requires_capture"),
    "its tax documents are []": lambda it: it.documents[PAID].clear(),
    "its tax documents are ['Saved']": lambda it: it.documents[PAID][0].update(status="Saved"),
    "it has 2 tax documents": lambda it: it.documents[PAID].append(dict(it.documents[PAID][0])),
    "nobody has told the customer": lambda it: it.mails[PAID].clear(),
    "4 mails": lambda it: it.mails[PAID].extend([{}] * 3),
    "its notification is not settled": lambda it: it.notifications[PAID][0].update(state="ACCEPTED"),
}
"""What is said, and what makes it be said."""


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said(words: str) -> None:
    found = seen()
    WRONG[words](found)

    assert any(words in complaint.what for complaint in check(asked(), found))


@pytest.mark.parametrize("name", ["charges", "documents", "mails", "notifications", "payments"])
def test_what_belongs_to_a_failed_order_or_to_none_is_said(name: str) -> None:
    for order_id in (FAILED, "o-unknown"):
        found = seen()
        kept = getattr(found, name)
        kept[order_id] = kept[PAID]

        complaints = check(asked(), found)

        assert any(order_id in complaint.what for complaint in complaints), order_id


def test_two_orders_of_one_key_are_said() -> None:
    told = asked()
    told[0].told.append((FAILED, "FAILED", 3.0))

    assert any("one key made the orders" in complaint.what for complaint in check(told, seen()))
