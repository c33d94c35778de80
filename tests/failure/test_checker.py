"""The checker sees what it is there for: each thing that can be wrong with an order is told."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields

import pytest

from tests.failure.checker import check
from tests.failure.history import Json
from tests.failure.lives import CANCEL, Command, Life
from tests.failure.seen import Seen
from tests.failure.told import Asked, Given

SHIPPED, FAILED, CANCELLED = "o-shipped", "o-failed", "o-cancelled"
REFUND, SHIPMENT, CANCELLATION = "k-1.1-refund", "k-1.0-ship", "k-3.0-cancel"


def asked() -> list[Asked]:
    """Return what shops were told of an order that was shipped, of one that failed, and of one that was cancelled."""
    shipped = order(SHIPPED)
    ship, refund = Command("ship", {}), Command("refund", {"amount": money(100)})
    return [
        Asked(
            "k-1",
            Life("pm_card_visa", frozenset({"SHIPPED"})),
            [({**shipped, "state": "PAID", "version": 1, "shipments": [], "refunds": []}, 1.0), (shipped, 2.0)],
            given=[Given(SHIPMENT, ship, alone=True, ends=["done"]), Given(REFUND, refund, alone=True, ends=["done"])],
        ),
        Asked("k-2", Life("pm_card_chargeDeclined", frozenset({"FAILED"})), failed={FAILED}),
        Asked(
            "k-3",
            Life("pm_card_visa", frozenset({"PAID", "CANCELLED"}), cancels=True),
            [(order(CANCELLED), 2.0)],
            given=[Given(CANCELLATION, CANCEL, alone=False, ends=["done"])],
        ),
    ]


def money(minor_units: int) -> Json:
    return {"currency_code": "USD", "minor_units": minor_units}


def charge(**changes: object) -> Json:
    return {"amount": 500, "amount_refunded": 100, "status": "succeeded", **changes}


def order(order_id: str) -> Json:
    """Return an order as it is answered when all is well."""
    plain: Json = {"order_id": order_id, "version": 3, "total": money(500), "refunded": money(0)}
    if order_id != SHIPPED:
        return {**plain, "state": "FAILED" if order_id == FAILED else "CANCELLED", "payment": {"captured": money(0)}}
    refund = {
        "refund_id": "1",
        "amount": money(100),
        "reason": REFUND,
        "state": "SUCCEEDED",
        "provider_refund_id": "re_1",
    }
    shipment = {"shipment_id": "1", "tracking_number": SHIPMENT, "ship_time": "2026-01-01T00:00:00Z"}
    return {
        **plain,
        "state": "SHIPPED",
        "refunded": money(100),
        "payment": {"captured": money(500), "state": "SUCCEEDED"},
        "refunds": [refund],
        "shipments": [shipment],
    }


def message(event_type: str) -> Json:
    return {"type": event_type}


def seen() -> Seen:
    """Return what there is when all is well."""
    orders = {order_id: order(order_id) for order_id in (SHIPPED, FAILED, CANCELLED)}
    events = [{"version": version, "cause": "request"} for version in (1, 2, 3)]
    kinds = ("ORDER_CONFIRMATION", "ORDER_SHIPPED", "ORDER_REFUNDED")
    types = ("order.placed", "order.paid", "order.shipped", "order.refunded")
    return Seen(
        orders=orders,
        stories={
            each: {"order": {"version": 3}, "events": deepcopy(events), "tasks": [{"kind": "commit_tax", "done": True}]}
            for each in orders
        },
        payments={SHIPPED: [{"captured": money(500), "refunded": money(100)}], FAILED: [{"captured": money(0)}]},
        notifications={
            SHIPPED: [{"kind": kind, "state": "DELIVERED", "notification_id": kind} for kind in kinds],
            CANCELLED: [{"kind": "ORDER_CANCELLED", "state": "DELIVERED", "notification_id": "n"}],
        },
        charges={SHIPPED: [charge()]},
        refunds={SHIPPED: [{"refund": "re_1", "amount": 100, "status": "succeeded"}]},
        documents={SHIPPED: [{"type": kind, "status": "Committed"} for kind in ("SalesInvoice", "ReturnInvoice")]},
        mails={
            SHIPPED: [{"custom_args": {"notification_id": kind}} for kind in kinds],
            CANCELLED: [{"custom_args": {"notification_id": "n"}}],
        },
        messages={
            SHIPPED: list(map(message, types)),
            FAILED: list(map(message, ("order.placed", "order.failed"))),
            CANCELLED: list(map(message, ("order.placed", "order.cancelled"))),
        },
    )


def test_nothing_is_said_when_all_is_well() -> None:
    assert check(asked(), seen()) == []


WRONG: dict[str, Callable[[Seen], object]] = {
    "was told and is lost": lambda it: it.orders.pop(SHIPPED),
    "was told FAILED and is CANCELLED": lambda it: it.orders[FAILED].update(state="CANCELLED"),
    "was told SHIPPED and is PROCESSING": lambda it: it.orders[SHIPPED].update(state="PROCESSING"),
    "was told CANCELLED and is PAID": lambda it: it.orders[CANCELLED].update(state="PAID"),
    "was told at version 3 and is at 2": lambda it: it.orders[SHIPPED].update(version=2),
    "was told to have 500 and has 400": lambda it: it.orders[SHIPPED]["payment"].update(captured=money(400)),
    "was told the refund": lambda it: it.orders[SHIPPED]["refunds"][0].update(state="FAILED"),
    "was told the shipment": lambda it: it.orders[SHIPPED]["shipments"][0].update(ship_time="2026-01-02T00:00:00Z"),
    "k-1.0-ship was answered ['done'], and what it makes is there 0 times": (
        lambda it: it.orders[SHIPPED]["shipments"].clear()
    ),
    "k-1.1-refund was answered ['done'], and what it makes is there 2 times": (
        lambda it: it.orders[SHIPPED]["refunds"].append(dict(it.orders[SHIPPED]["refunds"][0]))
    ),
    "k-3.0-cancel was answered ['done'], and what it makes is there 0 times": (
        lambda it: it.orders[CANCELLED].update(state="PAID")
    ),
    "was to give back": lambda it: it.orders[SHIPPED]["refunds"][0].update(amount=money(99)),
    "was not asked for": lambda it: it.orders[SHIPPED]["refunds"][0].update(reason="by nobody"),
    "is not settled": lambda it: it.orders[SHIPPED]["refunds"][0].update(state="PENDING"),
    "is still PENDING": lambda it: it.orders[FAILED].update(state="PENDING"),
    "its life should make it FAILED": lambda it: it.orders[FAILED].update(state="PAID"),
    "a person would have to look": lambda it: it.orders[SHIPPED].update(needs_review=True),
    "commit_tax is not done": lambda it: it.stories[SHIPPED]["tasks"][0].update(done=False),
    "a shipment waits for its money": lambda it: it.orders[SHIPPED]["shipments"][0].pop("ship_time"),
    "its journal has [1, 3]": lambda it: it.stories[SHIPPED]["events"].pop(1),
    "it was charged 2 times": lambda it: it.charges[SHIPPED].append(charge()),
    "500 is due, Stripe took []": lambda it: it.charges[SHIPPED].clear(),
    "Stripe has 500": lambda it: it.charges[SHIPPED][0].update(amount_refunded=0),
    "payment_svc says 0": lambda it: it.payments[SHIPPED].clear(),
    "money is held": lambda it: it.charges[SHIPPED][0].update(status="requires_capture"),
    "of 500 it has taken 400": lambda it: it.orders[SHIPPED]["payment"].update(captured=money(400)),
    "went back of 500": lambda it: it.refunds[SHIPPED][0].update(amount=501),
    "Stripe has given back []": lambda it: it.refunds[SHIPPED].clear(),
    "its tax documents are []": lambda it: it.documents[SHIPPED].clear(),
    "its tax documents are ['Saved']": lambda it: it.documents[SHIPPED][0].update(status="Saved"),
    "it has 2 tax documents": lambda it: it.documents[SHIPPED].append(dict(it.documents[SHIPPED][0])),
    "it has 0 returns for 1 refunds": lambda it: it.documents[SHIPPED].pop(1),
    "nobody has told the customer of {'ORDER_SHIPPED': 1}": lambda it: it.notifications[SHIPPED].pop(1),
    "the customer is told of {'ORDER_REFUNDED': 1}": (
        lambda it: it.notifications[SHIPPED].append(dict(it.notifications[SHIPPED][2]))
    ),
    "4 mails were sent": lambda it: it.mails[SHIPPED].extend([it.mails[SHIPPED][0]] * 3),
    "its ORDER_CONFIRMATION is DELIVERED, and 0 mails were sent of it": lambda it: it.mails[SHIPPED].pop(0),
    "its ORDER_CONFIRMATION is ACCEPTED": lambda it: it.notifications[SHIPPED][0].update(state="ACCEPTED"),
    "which is nothing of its": lambda it: it.mails[SHIPPED][0]["custom_args"].update(notification_id="another"),
    "no webhook tells of {'order.paid': 1}": lambda it: it.messages[SHIPPED].pop(1),
    "webhooks tell of {'order.shipped': 1}": lambda it: it.messages[SHIPPED].append(message("order.shipped")),
}
"""What is said, and what makes it be said."""


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said(words: str) -> None:
    found = seen()
    WRONG[words](found)

    assert any(words in complaint.what for complaint in check(asked(), found))


@pytest.mark.parametrize("ends", [["ILLEGAL_STATE"], ["done", "ILLEGAL_STATE"]])
def test_a_command_that_has_no_rival_may_not_be_refused(ends: list[str]) -> None:
    told = asked()
    told[0].given[0].ends = ends

    assert any("was refused with ['ILLEGAL_STATE']" in complaint.what for complaint in check(told, seen()))


def test_one_key_has_one_answer() -> None:
    told = asked()
    told[2].given[0].ends.append("ILLEGAL_STATE")

    assert any("was answered ['ILLEGAL_STATE', 'done']" in complaint.what for complaint in check(told, seen()))


@pytest.mark.parametrize("name", [each.name for each in fields(Seen) if each.name not in {"orders", "stories"}])
def test_what_belongs_to_a_failed_order_or_to_none_is_said(name: str) -> None:
    for order_id in (FAILED, "o-unknown"):
        found = seen()
        kept = getattr(found, name)
        kept[order_id] = kept[SHIPPED]

        complaints = check(asked(), found)

        assert any(order_id in complaint.what for complaint in complaints), order_id


def test_two_orders_of_one_key_are_said() -> None:
    told = asked()
    told[0].failed.add(FAILED)

    assert any("one key made the orders" in complaint.what for complaint in check(told, seen()))
