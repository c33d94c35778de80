"""What each of Stripe's errors means for the effect of the call."""

import json
from typing import Any

import pytest
import stripe

from chassis.http import Answer, HttpError, Lost, NotSent, TooLarge
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_gateway import StripeGateway
from payment_svc.adapters.stripe_problem import judge
from payment_svc.app.ports import AmountRefused, CurrencyRefused, KeySpent, Refused, WrongState
from payment_svc.domain.intent import Decline, DeclineKind, IntentStatus, NewIntent
from tests.fakes.payment_answers import AnsweringTransport
from tests.fakes.payment_providers import stripe_access

_INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 1099,
    "amount_received": 0,
    "currency": "eur",
    "client_secret": "pi_1_secret_1",
    "last_payment_error": None,
    "metadata": {"order_id": "o", "payment_id": "p"},
    "status": "requires_payment_method",
}


def gateway(answer: Answer | HttpError) -> StripeGateway:
    return StripeGateway(stripe_access("http://stripe.example", AnsweringTransport(answer)))


def error(status: int, headers: dict[str, str] | None = None, **details: object) -> Answer:
    # In lower case, as the connection hands them over.
    pairs = tuple((name.lower().encode(), value.encode()) for name, value in (headers or {}).items())
    return Answer(status, pairs, json.dumps({"error": {"type": "invalid_request_error", **details}}).encode())


def intent(**changes: object) -> Answer:
    return Answer(200, (), json.dumps({**_INTENT, **changes}).encode())


async def confirmed(answer: Answer | HttpError) -> object:
    return await gateway(answer).confirm_intent("pi_1", "pm_1", "key")


async def created(answer: Answer | HttpError) -> object:
    return await gateway(answer).create_intent(NewIntent("p", "o", Money("EUR", 1099)), "key")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (NotSent("refused"), "not sent"),
        (Lost("cut"), "lost"),
        (TooLarge("huge"), "too large"),
        (error(409, code="idempotency_key_in_use"), "http 409"),
        (error(424), "http 424"),
        (error(429, code="lock_timeout"), "http 429"),
        (error(400, code="rate_limit"), "http 400"),
        (error(502), "http 502"),
        (error(503), "http 503"),
        (error(504), "http 504"),
        (error(401), "http 401"),
        (error(403), "http 403"),
        (Answer(503, (), b"<html>bad gateway</html>"), "http 503"),
        (Answer(200, (), b"<html>hello</html>"), "unreadable answer"),
        (Answer(200, (), b"\xff\xfe"), "unreadable answer"),
        (Answer(200, (), b"[]"), "unreadable answer"),
        (Answer(200, (), b"null"), "unreadable answer"),
        (Answer(302, (), b"{}"), "unreadable answer"),
        (intent(status="on_the_moon"), "unreadable answer"),
        (intent(amount="much"), "unreadable answer"),
        (intent(currency="xyz"), "unreadable answer"),
        (intent(metadata=None), "unreadable answer"),
        (intent(last_payment_error="sorry"), "unreadable answer"),
        (error(404, code="resource_missing", param="intent"), "the intent is not in this account"),
    ],
)
async def test_what_leaves_the_outcome_open_is_never_a_failure(answer: Answer | HttpError, cause: str) -> None:
    outcome = await confirmed(answer)

    assert isinstance(outcome, Unknown)
    assert not isinstance(outcome, KeySpent)
    assert outcome.cause == cause


@pytest.mark.parametrize(
    "answer",
    [
        error(500, type="api_error"),
        Answer(500, (), b"oops"),
        error(503, {"idempotent-replayed": "true"}),
        error(400, type="idempotency_error"),
    ],
)
async def test_what_stripe_keeps_under_the_key_is_told(answer: Answer) -> None:
    assert isinstance(await confirmed(answer), KeySpent)


async def test_the_time_to_wait_is_told_where_stripe_tells_it() -> None:
    outcome = await confirmed(error(429, {"Retry-After": "7"}))

    assert isinstance(outcome, Unknown)
    assert outcome.retry_after == 7.0


async def test_a_decline_carries_its_codes_and_the_sentence_for_the_customer() -> None:
    answer = error(
        402,
        type="card_error",
        code="card_declined",
        decline_code="lost_card",
        message="Your card was declined.",
        charge="ch_1",
    )

    assert await confirmed(answer) == NotDone(
        Decline(DeclineKind.ISSUER, "card_declined", "lost_card", "Your card was declined.", "ch_1")
    )


async def test_a_decline_without_a_charge_is_named_by_its_method_and_code() -> None:
    outcome = await confirmed(error(402, type="card_error", code="expired_card", payment_method={"id": "pm_9"}))

    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.reason, Decline)
    assert outcome.reason.failure_id == "pm_9:expired_card"
    assert outcome.reason.message


@pytest.mark.parametrize(
    "answer",
    [
        error(400, code="resource_missing", param="payment_method", message="No such PaymentMethod: 'pm_1'"),
        error(400, param="payment_method", message="It was used before"),
        error(400, code="payment_method_unactivated"),
    ],
)
async def test_a_method_that_cannot_be_used_is_said_in_our_words(answer: Answer) -> None:
    outcome = await confirmed(answer)

    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.reason, Decline)
    assert outcome.reason.kind is DeclineKind.METHOD
    assert "pm_1" not in outcome.reason.message
    assert outcome.reason.failure_id == ""


async def test_the_wrong_state_is_told_apart() -> None:
    answer = error(400, code="payment_intent_unexpected_state")

    assert await confirmed(answer) == NotDone(WrongState())
    assert await gateway(answer).cancel_intent("pi_1", "key") == NotDone(WrongState())


async def test_any_other_refusal_keeps_its_code() -> None:
    outcome = await confirmed(error(400, code="livemode_mismatch", message="sk_live_123 is not right"))

    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.reason, Decline)
    assert (outcome.reason.kind, outcome.reason.code) == (DeclineKind.PROVIDER, "livemode_mismatch")
    assert "sk_live" not in outcome.reason.message
    assert await gateway(error(400)).read_intent("pi_1") == NotDone(Refused("http_400"))


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (error(400, param="amount", code="amount_too_small"), AmountRefused()),
        (error(400, param="currency"), CurrencyRefused()),
        (error(400, code="parameter_unknown", param="metadata"), Refused("parameter_unknown")),
    ],
)
async def test_what_is_refused_at_creation_says_what_was_wrong(answer: Answer, refused: object) -> None:
    assert await created(answer) == NotDone(refused)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("requires_payment_method", IntentStatus.UNCONFIRMED),
        ("requires_confirmation", IntentStatus.UNCONFIRMED),
        ("requires_action", IntentStatus.ACTION_REQUIRED),
        ("processing", IntentStatus.PROCESSING),
        ("requires_capture", IntentStatus.AUTHORIZED),
        ("succeeded", IntentStatus.SUCCEEDED),
        ("canceled", IntentStatus.CANCELLED),
    ],
)
async def test_every_status_has_its_meaning(status: str, meaning: IntentStatus) -> None:
    outcome = await confirmed(intent(status=status))

    assert isinstance(outcome, Done)
    assert outcome.value.status is meaning


def test_an_error_without_a_status_leaves_it_open() -> None:
    assert judge(stripe.APIError("?")) == Unknown("unreadable answer")
