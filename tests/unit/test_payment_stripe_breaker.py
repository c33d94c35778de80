"""When Stripe is left alone, and what a call is told then."""

import json

import pytest

from chassis import deadline
from chassis.http import Answer, HttpError, Lost, NotSent, TooLarge
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_gateway import StripeGateway
from payment_svc.adapters.stripe_line import BREAKER_FAILURES, BREAKER_FIRST_SECONDS, BREAKER_LONGEST_SECONDS
from tests.fakes.manual_clock import ManualClock
from tests.fakes.payment_answers import BASE, AnsweringTransport
from tests.fakes.payment_providers import stripe_access

_RESTING = "Stripe was away a moment ago"


class Stripe:
    """A gateway with what answers it and its time."""

    def __init__(self, answer: Answer | HttpError) -> None:
        self.clock = ManualClock()
        self.transport = AnsweringTransport(answer)
        self.gateway = StripeGateway(stripe_access(BASE, self.transport, self.clock))

    async def confirmed(self) -> object:
        return await self.gateway.confirm_intent("pi_1", "pm_1", "key")

    async def asked(self, times: int) -> int:
        """Return how many of so many calls reach Stripe."""
        before = self.transport.asked
        for _ in range(times):
            await self.confirmed()
        return self.transport.asked - before


def answered(status: int, **headers: str) -> Answer:
    pairs = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Answer(status, pairs, json.dumps({"error": {"type": "api_error"}}).encode())


@pytest.mark.parametrize("answer", [NotSent("refused"), Lost("timeout"), answered(500), answered(503)])
async def test_who_is_away_is_left_alone_and_asked_again_by_one_call_after_a_while(answer: Answer | HttpError) -> None:
    stripe = Stripe(answer)
    assert await stripe.asked(20) == BREAKER_FAILURES

    assert await stripe.confirmed() == Unknown(_RESTING, BREAKER_FIRST_SECONDS)
    stripe.clock.advance(BREAKER_FIRST_SECONDS)

    assert await stripe.asked(20) == 1


async def test_nothing_that_was_not_sent_is_called_not_done() -> None:
    stripe = Stripe(NotSent("refused"))
    await stripe.asked(BREAKER_FAILURES)

    for outcome in (
        await stripe.confirmed(),
        await stripe.gateway.cancel_intent("pi_1", "key"),
        await stripe.gateway.read_intent("pi_1"),
        await stripe.gateway.list_refunds("pi_1"),
    ):
        assert isinstance(outcome, Unknown)
        assert not isinstance(outcome, Done | NotDone)
        assert outcome.cause == _RESTING


async def test_during_a_long_outage_it_is_asked_again_soon_enough_for_a_caller_who_waits() -> None:
    stripe = Stripe(NotSent("refused"))
    await stripe.asked(BREAKER_FAILURES)
    for _ in range(20):
        stripe.clock.advance(60.0)
        await stripe.confirmed()

    resting = await stripe.confirmed()

    assert isinstance(resting, Unknown)
    assert resting.retry_after == BREAKER_LONGEST_SECONDS


async def test_when_it_answers_again_everybody_is_let_through(caplog: pytest.LogCaptureFixture) -> None:
    stripe = Stripe(NotSent("refused"))
    await stripe.asked(9)
    stripe.transport.answer = answered(402)
    stripe.clock.advance(BREAKER_FIRST_SECONDS)

    assert await stripe.asked(20) == 20
    assert [record.getMessage() for record in caplog.records] == ["stripe.away", "stripe.back"]


@pytest.mark.parametrize(
    "answer",
    [
        answered(402),
        answered(400),
        answered(409),
        answered(429),
        # Kept under the key, and so repeated however well Stripe is.
        answered(500, idempotent_replayed="true"),
        TooLarge("big"),
    ],
)
async def test_who_answers_is_there_whatever_he_says(answer: Answer | HttpError) -> None:
    assert await Stripe(answer).asked(20) == 20


async def test_a_caller_in_a_hurry_says_nothing_about_stripe() -> None:
    deadline.begin(1.0)

    assert await Stripe(Lost("timeout")).asked(20) == 20


async def test_failures_between_answers_do_not_add_up() -> None:
    stripe = Stripe(NotSent("refused"))
    for _ in range(5):
        stripe.transport.answer = NotSent("refused")
        assert await stripe.asked(BREAKER_FAILURES - 1) == BREAKER_FAILURES - 1
        stripe.transport.answer = answered(402)
        assert await stripe.asked(1) == 1
