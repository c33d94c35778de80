"""What a payment may become, what an intent means for it, and what never may be believed."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import (
    PLAIN,
    Decline,
    DeclineKind,
    Intent,
    IntentStatus,
    NewIntent,
    ProviderRefund,
    RefundState,
)
from payment_svc.domain.keys import confirm_key, create_key, refund_key
from payment_svc.domain.opening import opened
from payment_svc.domain.payment import FINAL, MOVES, Payment, PaymentState, payment_id_of
from payment_svc.domain.refund import Refund

_ORDER = "0199a0b0-0000-7000-8000-000000000001"
_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_LATER = _NOW + timedelta(seconds=1)
_AMOUNT = Money("EUR", 1099)
_NOTHING = Money("EUR", 0)
_NEW = NewIntent(payment_id_of(_ORDER), _ORDER, _AMOUNT)


def intent(status: IntentStatus = IntentStatus.UNCONFIRMED, **changes: object) -> Intent:
    captured = _AMOUNT if status is IntentStatus.SUCCEEDED else _NOTHING
    made = Intent("pi_1", payment_id_of(_ORDER), _ORDER, status, _AMOUNT, captured, None, "secret")
    return replace(made, **changes)  # type: ignore[arg-type]  # its own fields


def failure(failure_id: str = "ch_1") -> Decline:
    return Decline(DeclineKind.ISSUER, "card_declined", "generic_decline", "Declined.", failure_id)


def payment(state: PaymentState = PaymentState.PENDING, **changes: object) -> Payment:
    made = opened(_NEW, intent(), payment_method="pm_1", now=_NOW)
    captured = _AMOUNT if state is PaymentState.SUCCEEDED else _NOTHING
    decline = failure() if state is PaymentState.DECLINED else None
    return replace(made, state=state, captured=captured, decline=decline, **changes)  # type: ignore[arg-type]  # its own


def refund(minor_units: int = 400, refund_id: str = "f1") -> Refund:
    return Refund(refund_id, "p1", RefundState.PENDING, Money("EUR", minor_units), "", 1, _NOW, _NOW)


def test_the_id_of_a_payment_follows_from_its_order() -> None:
    assert payment_id_of(_ORDER) == payment_id_of(_ORDER)
    assert payment_id_of(_ORDER) != payment_id_of(_ORDER[:-1] + "2")


def test_a_new_payment_has_its_first_attempt_open() -> None:
    made = payment()

    assert (made.state, made.attempt, made.version) == (PaymentState.PENDING, 1, 1)
    assert (made.captured, made.refunded) == (_NOTHING, _NOTHING)
    assert made.live


@pytest.mark.parametrize("status", [status for status in IntentStatus if status is not IntentStatus.UNCONFIRMED])
def test_a_new_payment_is_not_opened_on_an_intent_that_has_moved(status: IntentStatus) -> None:
    with pytest.raises(Contradiction):
        opened(_NEW, intent(status), payment_method="pm_1", now=_NOW)


_MEANING = {
    IntentStatus.UNCONFIRMED: PaymentState.PENDING,
    IntentStatus.ACTION_REQUIRED: PaymentState.ACTION_REQUIRED,
    IntentStatus.PROCESSING: PaymentState.PENDING,
    IntentStatus.AUTHORIZED: PaymentState.AUTHORIZED,
    IntentStatus.SUCCEEDED: PaymentState.SUCCEEDED,
    IntentStatus.CANCELLED: PaymentState.CANCELLED,
}


@pytest.mark.parametrize(("status", "state"), list(_MEANING.items()))
def test_an_open_attempt_becomes_what_its_intent_is(status: IntentStatus, state: PaymentState) -> None:
    assert payment().seen(intent(status), _LATER).state is state


@pytest.mark.parametrize(("state", "status"), list(itertools.product(PaymentState, IntentStatus)))
def test_a_payment_makes_legal_moves_or_none(state: PaymentState, status: IntentStatus) -> None:
    before = payment(state)
    try:
        after = before.seen(intent(status), _LATER)
    except Contradiction:
        assert _MEANING[status] not in MOVES[state]
        return

    assert after.state in MOVES[state]
    if after is not before:
        assert (after.version, after.updated_at) == (before.version + 1, _LATER)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_is_final_stays(state: PaymentState) -> None:
    assert MOVES[state] == {state}
    for status in IntentStatus:
        if _MEANING[status] is not state:
            with pytest.raises(Contradiction):
                payment(state).seen(intent(status), _LATER)


def test_what_says_nothing_new_changes_nothing() -> None:
    for status in IntentStatus:
        once = payment().seen(intent(status), _LATER)
        assert once.seen(intent(status), _LATER) is once


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Money("EUR", 1098)},
        {"amount": Money("USD", 1099)},
        {"order_id": "another"},
        {"payment_id": "another"},
        {"intent_id": "pi_2"},
        {"captured": Money("EUR", 1098)},
        {"captured": Money("EUR", 2198)},
    ],
)
def test_another_amount_order_or_intent_is_never_believed(wrong: dict[str, object]) -> None:
    with pytest.raises(Contradiction):
        payment().seen(intent(IntentStatus.SUCCEEDED, **wrong), _LATER)


def test_the_client_secret_is_kept_only_while_the_customer_has_to_act() -> None:
    waiting = payment().seen(intent(IntentStatus.ACTION_REQUIRED), _LATER)
    assert waiting.client_secret == "secret"
    assert "secret" not in repr(waiting) + repr(intent())

    assert waiting.seen(intent(IntentStatus.SUCCEEDED), _LATER).client_secret == ""
    assert waiting.seen(intent(failure=failure()), _LATER).client_secret == ""


def test_a_failure_on_the_intent_is_this_attempts_decline() -> None:
    after = payment().seen(intent(failure=failure()), _LATER)

    assert (after.state, after.decline) == (PaymentState.DECLINED, failure())


def test_the_failure_of_the_attempt_before_says_nothing_about_this_one() -> None:
    retried = payment().seen(intent(failure=failure("ch_1")), _NOW).retried("pm_2", PLAIN, _LATER)

    assert (retried.state, retried.attempt, retried.payment_method) == (PaymentState.PENDING, 2, "pm_2")
    assert retried.seen(intent(failure=failure("ch_1")), _LATER) is retried
    assert retried.seen(intent(failure=failure("ch_2")), _LATER).state is PaymentState.DECLINED


def test_a_refusal_without_a_trace_keeps_the_failure_before_in_mind() -> None:
    no_trace = Decline(DeclineKind.METHOD, "resource_missing", "", "", "")
    second = payment().seen(intent(failure=failure("ch_1")), _NOW).retried("pm_2", PLAIN, _NOW).declined(no_trace, _NOW)

    third = second.retried("pm_3", PLAIN, _NOW)

    assert third.past_failure == "ch_1"
    assert third.seen(intent(failure=failure("ch_1")), _LATER) is third


@pytest.mark.parametrize("state", [state for state in PaymentState if state is not PaymentState.DECLINED])
def test_only_a_declined_payment_is_tried_again(state: PaymentState) -> None:
    with pytest.raises(Refusal) as refused:
        payment(state).retried("pm_2", PLAIN, _LATER)

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert refused.value.metadata == {"state": state.value, "allowed": "DECLINED"}


def test_a_new_key_goes_on_with_the_same_attempt() -> None:
    again = payment().rekeyed(_LATER)

    assert confirm_key(_ORDER, again.attempt) != confirm_key(_ORDER, payment().attempt)
    assert (again.state, again.payment_method, again.past_failure) == (PaymentState.PENDING, "pm_1", "")


def test_refunds_add_up_and_failed_ones_do_not_count() -> None:
    paid = payment(PaymentState.SUCCEEDED)
    two = paid.with_refund(refund(400, "f1"), _NOW).with_refund(refund(699, "f2"), _NOW)
    assert (two.refunded, two.refundable) == (_AMOUNT, _NOTHING)

    failed = two.with_refund_changed(two.refund("f1").refused("http_400", _LATER), _LATER)

    assert failed.refundable == Money("EUR", 400)
    assert [each.state for each in failed.refunds] == [RefundState.FAILED, RefundState.PENDING]


@pytest.mark.parametrize("minor_units", [1100, 0, -1])
def test_no_more_than_what_is_left_is_given_back(minor_units: int) -> None:
    with pytest.raises(Refusal) as refused:
        payment(PaymentState.SUCCEEDED).with_refund(refund(minor_units), _NOW)

    assert refused.value.reason is Reason.REFUND_EXCEEDS_PAYMENT
    assert refused.value.metadata == {"refundableMinorUnits": "1099"}


@pytest.mark.parametrize("state", [state for state in PaymentState if state is not PaymentState.SUCCEEDED])
def test_what_was_not_taken_is_not_given_back(state: PaymentState) -> None:
    with pytest.raises(Refusal) as refused:
        payment(state).with_refund(refund(), _NOW)

    assert refused.value.reason is Reason.ILLEGAL_STATE


@pytest.mark.parametrize(("before", "after"), list(itertools.product(RefundState, RefundState)))
def test_the_providers_word_on_a_refund_counts_in_every_direction(before: RefundState, after: RefundState) -> None:
    ours = replace(refund(), state=before, provider_refund_id="re_1")

    seen = ours.seen(ProviderRefund("re_1", "f1", after, Money("EUR", 400)), _LATER)

    assert seen.state is after
    assert (seen is ours) is (before is after)


@pytest.mark.parametrize(("refund_id", "minor_units"), [("f2", 400), ("", 400), ("f1", 399)])
def test_another_refund_is_never_taken_for_ours(refund_id: str, minor_units: int) -> None:
    with pytest.raises(Contradiction):
        refund().seen(ProviderRefund("re_1", refund_id, RefundState.SUCCEEDED, Money("EUR", minor_units)), _LATER)


def test_every_key_is_its_own() -> None:
    keys = [
        create_key("o"),
        create_key("o", "2"),
        confirm_key("o", 1),
        confirm_key("o", 2),
        refund_key("r", 1),
        refund_key("r", 2),
    ]

    assert len(set(keys)) == len(keys)
    assert refund_key("r", 1) == "refund:r"
