"""What the saga does over several steps, and with time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.errors import Reason
from kernel.outcome import Done, Unknown
from order_svc.app.driver import _what_is_told
from order_svc.domain.order import Failure, Order, Stage, State
from order_svc.domain.payment import PaymentState
from order_svc.domain.saga import after_charge, next_step
from order_svc.domain.step import Step
from order_svc.domain.tax import TaxSource
from order_svc.domain.transition import retry_seconds
from tests.fakes.order_samples import a_draft, a_tax, an_order, refunded
from tests.fakes.order_stages import (
    ACTION_SECONDS,
    AWAITING,
    CANCELLING,
    CHARGING,
    FULL,
    LATER,
    QUOTING,
    REFUNDING,
    UNDERWAY,
    back,
    paid,
    refused,
    take,
)

P = PaymentState


@pytest.mark.parametrize("state", [state for state in State if state != State.PENDING])
def test_nothing_moves_an_order_that_is_settled(state: State) -> None:
    assert next_step(an_order(Stage.SETTLED, state=state)) is None


def test_money_that_moved_goes_back_before_the_order_ends() -> None:
    order = take(CHARGING, paid(captured=FULL - 1)).order

    assert next_step(order) is Step.REFUND
    ended = take(order, back(captured=FULL - 1, refunded=FULL - 1)).order
    assert (ended.state, ended.failure) == (State.FAILED, order.failure)


def test_money_that_is_only_held_is_released() -> None:
    order = take(CHARGING, paid(P.AUTHORIZED)).order

    assert next_step(order) is Step.CANCEL_PAYMENT


def test_money_that_arrives_after_the_payment_was_given_up_is_refunded() -> None:
    order = take(CANCELLING, paid()).order

    assert next_step(order) is Step.REFUND
    assert take(order, back(refunded=FULL)).order.state is State.FAILED


def test_an_order_that_failed_says_why_for_ever() -> None:
    order = take(CHARGING, paid(P.DECLINED)).order

    assert order.failure == Failure(
        Reason.PAYMENT_DECLINED, "Your card has insufficient funds.", "insufficient_funds", ""
    )


def test_an_order_whose_card_was_declined_is_over_and_its_payment_is_given_up_behind_the_answer() -> None:
    declined = take(CHARGING, paid(P.DECLINED))

    assert (declined.order.state, next_step(declined.order)) == (State.FAILED, Step.CANCEL_PAYMENT)
    given_up = take(declined.order, paid(P.CANCELLED)).order
    assert (given_up.state, given_up.stage, given_up.failure) == (State.FAILED, Stage.SETTLED, declined.order.failure)


def test_a_refused_field_is_kept() -> None:
    order = take(QUOTING, refused(Reason.ADDRESS_INVALID)).order

    assert order.failure == Failure(Reason.ADDRESS_INVALID, "No.", "", "ship_to")


def test_a_customer_who_failed_3d_secure_hears_so_after_the_payment_was_given_up() -> None:
    order = take(AWAITING, paid(P.DECLINED)).order

    assert next_step(order) is Step.CANCEL_PAYMENT
    ended = take(order, paid(P.CANCELLED)).order
    assert ended.failure is not None
    assert (ended.state, ended.failure.decline_code) == (State.FAILED, "insufficient_funds")


def test_a_customer_has_the_time_that_was_set_from_the_first_answer_on() -> None:
    first = take(CHARGING, paid(P.ACTION_REQUIRED)).order
    polled = after_charge(first, paid(P.ACTION_REQUIRED), LATER + timedelta(minutes=5), ACTION_SECONDS, 1.0).order

    assert first.expires_at == LATER + timedelta(seconds=ACTION_SECONDS)
    assert polled.expires_at == first.expires_at


def test_polls_come_ever_more_slowly_and_the_last_one_when_the_time_is_up() -> None:
    order = take(CHARGING, paid(P.ACTION_REQUIRED)).order
    assert order.expires_at is not None

    now, waits = LATER, []
    while True:
        transition = after_charge(order, paid(P.ACTION_REQUIRED), now, ACTION_SECONDS, 1.0)
        if transition.wake_at is None:
            break
        waits.append((transition.wake_at - now).total_seconds())
        order, now = transition.order, transition.wake_at

    assert waits[:6] == [2, 4, 8, 16, 30, 30]
    assert now == order.expires_at
    assert (transition.order.stage, transition.kind) == (Stage.UNDOING, "payment.expired")


def test_a_customer_who_is_too_late_is_told_so() -> None:
    order = replace(AWAITING, expires_at=LATER)

    expired = take(order, paid(P.ACTION_REQUIRED)).order

    assert next_step(expired) is Step.CANCEL_PAYMENT
    assert (expired.state, expired.expires_at) == (State.PENDING, None)
    assert expired.failure is not None
    assert expired.failure.decline_code == "authentication_expired"


def test_a_customer_who_paid_in_the_last_moment_has_paid() -> None:
    order = replace(AWAITING, expires_at=LATER)

    assert take(order, paid()).order.state is State.PAID


def test_waits_double_from_a_fifth_of_a_second_to_half_a_minute() -> None:
    waits = [retry_seconds(tries, 1.0) for tries in range(12)]

    assert waits[:3] == [0.2, 0.4, 0.8]
    assert waits[-1] == retry_seconds(10**6, 1.0) == 30.0
    assert waits == sorted(waits)


def test_a_provider_that_asks_for_a_longer_wait_gets_it() -> None:
    transition = take(CHARGING, Unknown("busy", retry_after=12.0))

    assert transition.wake_at == LATER + timedelta(seconds=12)


def test_an_outage_of_a_day_leaves_a_dozen_entries_in_the_journal() -> None:
    order, told = CHARGING, []
    for _ in range(2880):
        transition = take(order, Unknown("timeout"))
        order = transition.order
        if transition.kind:
            told.append(transition.facts["tries"])

    assert told == ["1", "2", "4", "8", "16", "32", "64", "128", "256", "512", "1024", "2048"]
    assert order.version == CHARGING.version + len(told)


def test_a_new_stage_counts_its_tries_anew() -> None:
    tired = replace(CHARGING, tries=9)

    assert take(tired, paid(P.ACTION_REQUIRED)).order.tries == 0
    assert take(tired, Unknown("x")).order.tries == 10


@pytest.mark.parametrize("order", [UNDERWAY, AWAITING, CANCELLING, REFUNDING])
def test_an_answer_that_is_older_than_what_was_heard_meanwhile_is_asked_for_again(order: Order) -> None:
    assert order.payment is not None
    known = replace(order, payment=replace(order.payment, version=3))
    old = replace(paid(refunded=FULL).value, version=2)

    later = take(known, Done(refunded(old)) if order is REFUNDING else Done(old))

    assert (later.order.stage, later.order.payment, later.facts["cause"]) == (
        known.stage,
        known.payment,
        "an answer older than what is known",
    )


def test_another_tax_is_another_move() -> None:
    """As when a commit that counted as lost comes through late, and AvaTax is away when it is asked again."""
    quoted = take(QUOTING, Done(a_tax(a_draft()))).order
    fallback = take(QUOTING, Done(a_tax(a_draft(), TaxSource.FALLBACK))).order

    assert _what_is_told(quoted) != _what_is_told(fallback)
    assert _what_is_told(quoted) == _what_is_told(replace(quoted))
