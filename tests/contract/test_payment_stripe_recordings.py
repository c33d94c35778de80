"""Real answers of Stripe's, recorded by others in test mode: each is understood exactly as what it was.

recordings/stripe.json tells where they are from; of each answer it keeps what we read, unchanged.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.http import Answer
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_books import StripeBooks
from payment_svc.adapters.stripe_gateway import StripeGateway
from payment_svc.app.ports import AmountRefused, Refused
from payment_svc.domain.intent import Decline, DeclineKind, Intent, IntentStatus, NewIntent, RefundState
from payment_svc.domain.payment import PaymentState
from payment_svc.domain.refund import Refund
from tests.fakes.payment_answers import BASE, AnsweringTransport
from tests.fakes.payment_providers import stripe_access

_EXCHANGES = json.loads((Path(__file__).parent / "recordings" / "stripe.json").read_text())["exchanges"]
_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_NEW = NewIntent("payment-1", "order-1", Money("USD", 1000))
_WITH_CUSTOMER = NewIntent("payment-1", "order-1", Money("USD", 1000), customer_id="cus_1")
_USED = "This payment method cannot be used. Please choose another one."


def answering(number: int) -> AnsweringTransport:
    exchange = _EXCHANGES[number]
    return AnsweringTransport(Answer(exchange["status"], (), json.dumps(exchange["body"]).encode()))


def gateway(number: int) -> StripeGateway:
    return StripeGateway(stripe_access(BASE, answering(number)))


@dataclass(frozen=True, slots=True)
class Standing:
    """What a recorded intent is."""

    status: IntentStatus
    amount: Money
    captured: int = 0


_USD_10 = Money("USD", 1000)
INTENTS = {
    1: Standing(IntentStatus.UNCONFIRMED, _USD_10),
    4: Standing(IntentStatus.CANCELLED, Money("USD", 4000)),
    5: Standing(IntentStatus.SUCCEEDED, _USD_10, 1000),
    6: Standing(IntentStatus.SUCCEEDED, _USD_10, 1000),
    7: Standing(IntentStatus.AUTHORIZED, _USD_10),
    8: Standing(IntentStatus.AUTHORIZED, _USD_10),
    9: Standing(IntentStatus.SUCCEEDED, _USD_10, 1000),
    10: Standing(IntentStatus.UNCONFIRMED, _USD_10),
    11: Standing(IntentStatus.UNCONFIRMED, _USD_10),
    16: Standing(IntentStatus.PROCESSING, Money("EUR", 5000)),
    18: Standing(IntentStatus.ACTION_REQUIRED, Money("USD", 4000)),
    21: Standing(IntentStatus.UNCONFIRMED, Money("USD", 6000)),
    22: Standing(IntentStatus.UNCONFIRMED, Money("USD", 6000)),
    27: Standing(IntentStatus.ACTION_REQUIRED, Money("USD", 2900)),
}

Call = Callable[[StripeGateway], Awaitable[object]]


def _create(new: NewIntent) -> Call:
    return lambda stripe: stripe.create_intent(new, "key")


def _confirm(stripe: StripeGateway) -> Awaitable[object]:
    return stripe.confirm_intent("pi_1", "pm_1", "key")


def _capture(stripe: StripeGateway) -> Awaitable[object]:
    return stripe.capture_intent("pi_1", Money("USD", 1000), "key")


REFUSALS: dict[int, list[tuple[Call, object]]] = {
    # "has already been attached to a customer", without a code or a parameter.
    3: [
        (_confirm, NotDone(Decline(DeclineKind.PROVIDER, "http_400", "", "The payment could not be made.", ""))),
        (_capture, NotDone(Refused("http_400"))),
    ],
    23: [(_create(_NEW), NotDone(AmountRefused()))],
    24: [(_confirm, NotDone(Decline(DeclineKind.METHOD, "resource_missing", "", _USED, "")))],
    25: [(_confirm, NotDone(Decline(DeclineKind.METHOD, "resource_missing", "", _USED, "")))],
    26: [
        (
            _confirm,
            NotDone(
                Decline(
                    DeclineKind.ISSUER, "card_declined", "generic_decline", "Your card was declined.", ":card_declined"
                )
            ),
        ),
    ],
    # A key that Stripe does not know: nobody can tell what became of the call, and an operator has to see to it.
    28: [(call, Unknown("http 401", 30.0)) for call in (_create(_NEW), _confirm, _capture)],
    29: [(_create(_WITH_CUSTOMER), NotDone(Refused("resource_missing")))],
}

# Calls that we do not make: customers, payment methods and endpoints are the shop's own.
ELSEWHERE = {0, 2, 12, 13, 14, 20}


@pytest.mark.parametrize("number", INTENTS)
async def test_an_intent_is_read_as_what_it_was(number: int) -> None:
    expected, body = INTENTS[number], _EXCHANGES[number]["body"]

    for call in (gateway(number).read_intent("pi_1"), _confirm(gateway(number)), _capture(gateway(number))):
        answer = await call
        assert isinstance(answer, Done)
        intent: Intent = answer.value
        assert (intent.intent_id, intent.status) == (body["id"], expected.status)
        assert (intent.amount, intent.captured.minor_units) == (expected.amount, expected.captured)
        assert (intent.failure, intent.held_until, intent.disputed) == (None, None, False)
        assert (intent.payment_id, intent.order_id) == ("", "")


async def test_a_refund_is_read_as_what_it_was() -> None:
    body = _EXCHANGES[15]["body"]
    ours = Refund("refund-1", "payment-1", RefundState.PENDING, Money("USD", 800), "", 1, _NOW, _NOW)

    made = await gateway(15).create_refund("pi_1", ours, "key")

    assert isinstance(made, Done)
    assert (made.value.provider_refund_id, made.value.refund_id) == (body["id"], "")
    assert (made.value.state, made.value.amount) == (RefundState.SUCCEEDED, Money("USD", 800))
    assert (made.value.failure_reason, made.value.created_at and made.value.created_at.timestamp()) == (
        "",
        body["created"],
    )
    listed = StripeGateway(stripe_access(BASE, AnsweringTransport(_list_of(body))))
    assert await listed.list_refunds("pi_1") == Done([made.value])


@pytest.mark.parametrize(
    ("intent", "charge", "state", "captured"),
    [(16, 17, PaymentState.PENDING, 0), (5, 19, PaymentState.SUCCEEDED, 1000)],
)
async def test_a_charge_is_read_with_its_intent(intent: int, charge: int, state: PaymentState, captured: int) -> None:
    document = {**_EXCHANGES[intent]["body"], "latest_charge": _EXCHANGES[charge]["body"]}
    transport = AnsweringTransport(Answer(200, (), json.dumps(document).encode()))

    listed = await StripeBooks(stripe_access(BASE, transport)).payment("pi_1")

    assert isinstance(listed, Done)
    assert listed.value.state is state
    assert (listed.value.captured.minor_units, listed.value.refunded.minor_units) == (captured, 0)


@pytest.mark.parametrize("number", REFUSALS)
async def test_a_refusal_is_taken_for_what_it_was(number: int) -> None:
    for call, expected in REFUSALS[number]:
        assert await call(gateway(number)) == expected


def test_no_recording_is_left_out() -> None:
    assert set(range(len(_EXCHANGES))) == {*INTENTS, *REFUSALS, *ELSEWHERE, 15, 17, 19}


def _list_of(*objects: Any) -> Answer:  # noqa: ANN401  (JSON)
    return Answer(200, (), json.dumps({"data": objects, "has_more": False}).encode())
