"""How Stripe's objects are read where an audit compares them with ours."""

import json
from datetime import UTC, datetime
from typing import Any

from chassis.http import Answer
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_books import StripeBooks
from payment_svc.app.books import ListedPayment, ListedRefund, Page
from payment_svc.app.ports import Refused
from payment_svc.domain.intent import RefundState
from payment_svc.domain.payment import PaymentState
from tests.fakes.payment_answers import BASE, AnsweringTransport
from tests.fakes.payment_providers import stripe_access

_CHARGE: dict[str, Any] = {
    "id": "ch_1",
    "object": "charge",
    "amount": 1099,
    "amount_captured": 1099,
    "amount_refunded": 400,
    "disputed": False,
}
_PAYMENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 1099,
    "amount_received": 1099,
    "client_secret": "pi_1_secret_1",
    "created": 1_795_435_200,
    "currency": "eur",
    "last_payment_error": None,
    "latest_charge": _CHARGE,
    "metadata": {"order_id": "o", "payment_id": "p"},
    "status": "succeeded",
}
_REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "amount": 400,
    "created": 1_795_435_200,
    "currency": "eur",
    "metadata": {"refund_id": "r"},
    "payment_intent": "pi_1",
    "status": "succeeded",
}
_CREATED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_LISTED = ListedPayment(
    "pi_1", "p", "o", PaymentState.SUCCEEDED, Money("EUR", 1099), Money("EUR", 1099), Money("EUR", 400), _CREATED
)


def books(status: int, document: object) -> StripeBooks:
    return StripeBooks(stripe_access(BASE, AnsweringTransport(Answer(status, (), json.dumps(document).encode()))))


async def payments(*objects: dict[str, Any], more: bool = False) -> object:
    return await books(200, {"data": objects, "has_more": more}).payments("", 100)


async def refunds(*objects: dict[str, Any]) -> object:
    return await books(200, {"data": objects, "has_more": False}).refunds("", 100)


async def test_a_payment_is_read_with_what_its_charge_says() -> None:
    assert await payments(_PAYMENT) == Done(Page((_LISTED,), ""))


async def test_money_that_was_held_and_let_go_was_neither_taken_nor_given_back() -> None:
    released = {**_CHARGE, "amount_captured": 0, "amount_refunded": 1099}

    page = await payments({**_PAYMENT, "status": "canceled", "amount_received": 0, "latest_charge": released})

    assert isinstance(page, Done)
    (payment,) = page.value.items
    assert (payment.state, payment.captured, payment.refunded) == (
        PaymentState.CANCELLED,
        Money("EUR", 0),
        Money("EUR", 0),
    )


async def test_what_others_made_has_no_ids_of_ours() -> None:
    page = await payments({**_PAYMENT, "metadata": {}})
    assert isinstance(page, Done)
    assert [(each.payment_id, each.order_id) for each in page.value.items] == [("", "")]

    listed = ListedRefund("re_1", "", "", RefundState.PENDING, Money("EUR", 400), _CREATED)
    by_hand = {**_REFUND, "metadata": None, "payment_intent": None, "status": "requires_action"}
    assert await refunds(by_hand) == Done(Page((listed,), ""))


async def test_what_others_made_in_money_that_is_no_more_hides_nothing_of_ours() -> None:
    theirs = {**_PAYMENT, "id": "pi_0", "currency": "eek", "metadata": {}}

    assert await payments(_PAYMENT, theirs, more=True) == Done(Page((_LISTED,), "pi_0"))


async def test_what_is_ours_and_cannot_be_read_is_not_left_out() -> None:
    assert await payments({**_PAYMENT, "currency": "eek"}) == Unknown("unreadable answer")
    assert await payments({**_PAYMENT, "status": "on_the_moon"}) == Unknown("unreadable answer")
    assert await refunds({**_REFUND, "status": "on_the_moon"}) == Unknown("unreadable answer")


async def test_an_error_that_is_not_about_the_page_is_none_of_the_callers() -> None:
    error = {"error": {"type": "invalid_request_error", "code": "parameter_unknown", "param": "limit"}}
    missing = {"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "starting_after"}}

    assert await books(400, error).payments("", 100) == Unknown("http 400")
    assert await books(400, missing).payments("pi_0", 100) == NotDone(Refused("resource_missing"))
