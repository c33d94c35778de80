"""The rules of sending, one by one and against each other."""

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify_svc.domain import sending
from notify_svc.domain.notification import Notification, State
from tests.fakes.notify_samples import NOW, event, notification

LATER = NOW + timedelta(seconds=1)


def under_way() -> Notification:
    return sending.begun(notification(), NOW)


def after(*kinds: str) -> Notification:
    """Return a notification under way after events of these kinds."""
    result = under_way()
    for kind in kinds:
        each = event(kind, result.notification_id, status="5.1.1")
        result = sending.observed(result, each.proves(), each.message_id, each.complaint(), each.occurred_at)
    return result


def test_an_attempt_is_counted_before_it_begins_and_has_a_lease() -> None:
    begun = under_way()

    assert (begun.attempts, begun.open_attempts, begun.version) == (1, 1, 2)
    assert begun.due_at == NOW + sending.LEASE
    assert begun.state is State.ACCEPTED


def test_an_accepted_mail_is_never_sent_again() -> None:
    sent = sending.sent(under_way(), "message-1", LATER)

    assert (sent.state, sent.due_at, sent.open_attempts) == (State.SENT, None, 0)
    assert (sent.provider_message_id, sent.sent_at, sent.last_error) == ("message-1", LATER, "")


def test_a_refused_mail_is_given_up_and_says_why() -> None:
    refused = sending.refused(under_way(), "400", LATER)

    assert (refused.state, refused.due_at, refused.last_error) == (State.UNDELIVERABLE, None, "400")


def test_an_attempt_that_was_no_mail_does_not_count_towards_the_bound() -> None:
    current = notification()
    for _ in range(100):
        current = sending.postponed(sending.begun(current, NOW), "503", LATER)

    assert (current.attempts, current.open_attempts) == (100, 0)
    assert current.due_at == LATER
    assert not sending.exhausted(current)


def test_after_three_attempts_of_unknown_outcome_it_is_parked() -> None:
    current, waits = notification(), []
    for _ in range(sending.MOST_OPEN_ATTEMPTS):
        assert not sending.exhausted(current)
        current = sending.lost(sending.begun(current, NOW), "timeout", NOW)
        waits.append(None if current.due_at is None else (current.due_at - NOW).total_seconds())

    assert waits == [5.0, 30.0, None]
    assert sending.is_parked(current)
    assert sending.exhausted(current)


def test_what_is_due_or_done_is_not_parked() -> None:
    assert not sending.is_parked(notification())
    assert not sending.is_parked(under_way())
    assert not sending.is_parked(sending.sent(under_way(), "m", NOW))
    assert not sending.is_parked(sending.refused(under_way(), "400", LATER))


def test_the_first_wait_is_below_a_second_and_no_wait_is_above_a_minute() -> None:
    longest = [sending.wait_seconds(attempts, 1.0) for attempts in range(1, 12)]

    assert longest[:8] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert max(longest) == 60.0
    assert sending.wait_seconds(10**9, 1.0) == 60.0


@given(st.integers(1, 1000), st.floats(0, 1))
def test_jitter_takes_away_half_at_most(attempts: int, jitter: float) -> None:
    longest = sending.wait_seconds(attempts, 1.0)

    assert longest / 2 <= sending.wait_seconds(attempts, jitter) <= longest


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("processed", State.SENT),
        ("deferred", State.DEFERRED),
        ("delivered", State.DELIVERED),
        ("bounce", State.BOUNCED),
        ("blocked", State.BOUNCED),
        ("dropped", State.DROPPED),
        ("spamreport", State.SPAM_REPORTED),
        ("open", State.SENT),
        ("click", State.SENT),
        ("unsubscribe", State.SENT),
        ("group_resubscribe", State.SENT),
        ("future_kind", State.SENT),
    ],
)
def test_an_event_settles_what_a_lost_answer_left_open(kind: str, state: State) -> None:
    settled = after(kind)

    assert (settled.state, settled.due_at, settled.provider_message_id) == (state, None, "message-1")
    assert settled.sent_at is not None


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        (("processed", "delivered"), State.DELIVERED),
        (("processed", "deferred", "deferred", "bounce"), State.BOUNCED),
        (("dropped", "delivered"), State.DELIVERED),
        (("processed", "deferred", "delivered", "open", "click"), State.DELIVERED),
        (("processed", "delivered", "bounce"), State.BOUNCED),
        (("processed", "delivered", "open", "spamreport", "unsubscribe"), State.SPAM_REPORTED),
        (("processed", "dropped"), State.DROPPED),
    ],
)
def test_events_in_any_order_and_more_than_once_end_in_the_same_state(kinds: tuple[str, ...], state: State) -> None:
    for order in permutations(kinds):
        end = after(*order, *order)
        assert (end.state, end.last_error) == (state, after(*kinds).last_error)
        assert (end.news_at is not None) == state.is_news()


@pytest.mark.parametrize("kind", ["bounce", "blocked", "dropped", "spamreport"])
def test_what_does_not_reach_its_reader_is_news_since_it_happened(kind: str) -> None:
    assert after(kind).news_at == event(kind, "").occurred_at
    assert after(kind, "spamreport").news_at == event(kind, "").occurred_at


def test_what_reaches_its_reader_after_all_is_no_news() -> None:
    assert after("dropped", "delivered").news_at is None
    assert after("processed", "deferred").news_at is None


def test_a_mail_given_up_is_news() -> None:
    assert sending.refused(under_way(), "400", LATER).news_at == LATER
    assert sending.refused(after("delivered"), "400", LATER).news_at is None


def test_an_answer_that_comes_after_the_bounce_does_not_hide_it() -> None:
    sent = sending.sent(after("bounce"), "message-1", LATER)

    assert (sent.state, sent.last_error) == (State.BOUNCED, after("bounce").last_error)
    assert sent.news_at is not None


def test_an_event_that_says_nothing_new_changes_nothing() -> None:
    delivered = after("delivered")

    assert sending.observed(delivered, State.SENT, "message-2", "", NOW) is delivered
    assert sending.observed(delivered, State.DELIVERED, "message-2", "", NOW) is delivered


def test_a_bounce_says_the_code_and_nothing_of_the_servers_words() -> None:
    assert after("bounce").last_error == "The recipient's mail server refused it (5.1.1)"
    assert after("blocked").last_error == "The recipient's mail server blocked this one (5.1.1)"


@pytest.mark.parametrize(
    "outcome",
    [
        lambda current: sending.sent(current, "message-2", LATER),
        lambda current: sending.refused(current, "400", LATER),
        lambda current: sending.postponed(current, "503", LATER),
        lambda current: sending.lost(current, "timeout", LATER),
    ],
)
def test_whatever_an_attempt_ends_in_a_delivered_mail_stays_delivered(
    outcome: Callable[[Notification], Notification],
) -> None:
    ended = outcome(after("delivered"))

    assert (ended.state, ended.due_at) == (State.DELIVERED, None)
