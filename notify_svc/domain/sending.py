"""The rules of sending: at least once, as long as it takes, and with few duplicates where an answer was lost.

An attempt is counted before it begins, so that a crash in the middle of it is counted too. It ends in one of four ways:
the mail provider took the mail, refused it for good, certainly did not take it, or nobody knows. Only the last can lead
to a second copy, and so there are few of those.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from notify_svc.domain.notification import Notification, State

# An attempt that has not ended by then never will: an answer is waited for half as long, the rest is for slow commits.
LEASE = timedelta(seconds=20)

# So many attempts of unknown outcome may each have been a mail; then only the provider's events can tell.
MOST_OPEN_ATTEMPTS = 3

# Waits after a first and a second attempt of unknown outcome, for an event to say that it was a mail after all.
_WAITS_AFTER_LOST = (timedelta(seconds=5), timedelta(seconds=30))

# After an attempt that certainly was no mail: at once for a hiccup, and never so long that an outage's end goes unseen.
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0

# States that say more win over those that say less, so that events may come in any order and more than once.
# A server may take a mail and bounce it afterwards, and only who has got one can call it spam.
_RANKS = {
    State.ACCEPTED: 0,
    State.SENT: 1,
    State.DEFERRED: 2,
    State.UNDELIVERABLE: 3,
    State.DROPPED: 4,
    State.DELIVERED: 5,
    State.BOUNCED: 6,
    State.SPAM_REPORTED: 7,
}

_PARKED = "Nobody knows whether any of the attempts was a mail; it is not sent again by itself"


def begun(notification: Notification, now: datetime) -> Notification:
    """Return it with an attempt under way."""
    return _changed(
        notification,
        attempts=notification.attempts + 1,
        open_attempts=notification.open_attempts + 1,
        due_at=now + LEASE,
    )


def exhausted(notification: Notification) -> bool:
    """Say whether another attempt could be one copy too many."""
    return notification.open_attempts >= MOST_OPEN_ATTEMPTS


def is_parked(notification: Notification) -> bool:
    """Say whether it waits for a person, or for an event that settles it."""
    return notification.state is State.ACCEPTED and notification.due_at is None


def parked(notification: Notification) -> Notification:
    """Return it given up for now: nothing more is planned."""
    return _changed(notification, due_at=None, last_error=_PARKED)


def sent(notification: Notification, message_id: str, now: datetime) -> Notification:
    """Return it after the mail provider accepted it; what its events have told already stays told."""
    return _changed(
        notification,
        state=_higher(notification.state, State.SENT),
        open_attempts=notification.open_attempts - 1,
        provider_message_id=message_id,
        sent_at=now,
        due_at=None,
        last_error="" if notification.state is State.ACCEPTED else notification.last_error,
    )


def refused(notification: Notification, why: str, now: datetime) -> Notification:
    """Return it after the mail provider refused it for good."""
    state = _higher(notification.state, State.UNDELIVERABLE)
    return _changed(
        notification,
        state=state,
        open_attempts=notification.open_attempts - 1,
        due_at=None,
        last_error=why if state is State.UNDELIVERABLE else notification.last_error,
        news_at=_news_at(notification, state, now),
    )


def postponed(notification: Notification, why: str, due_at: datetime) -> Notification:
    """Return it after an attempt that certainly was no mail."""
    waiting = notification.state is State.ACCEPTED
    return _changed(
        notification,
        open_attempts=notification.open_attempts - 1,
        due_at=due_at if waiting else None,
        last_error=why if waiting else notification.last_error,
    )


def lost(notification: Notification, why: str, now: datetime) -> Notification:
    """Return it after an attempt that may have been a mail."""
    if notification.state is not State.ACCEPTED:
        return _changed(notification, due_at=None)
    if exhausted(notification):
        return parked(notification)
    wait = _WAITS_AFTER_LOST[notification.open_attempts - 1]
    return _changed(notification, due_at=now + wait, last_error=why)


def observed(notification: Notification, state: State, message_id: str, why: str, at: datetime) -> Notification:
    """Return it after one of the provider's events; the same object when that says nothing new.

    Args:
        notification: As it stands.
        state: What the event proves.
        message_id: Of the mail that the event is about.
        why: What went wrong, when it did.
        at: When it happened.
    """
    if _RANKS[state] <= _RANKS[notification.state]:
        return notification
    return _changed(
        notification,
        state=state,
        provider_message_id=notification.provider_message_id or message_id,
        sent_at=notification.sent_at or at,
        due_at=None,
        last_error=why,
        news_at=_news_at(notification, state, at),
    )


def wait_seconds(attempts: int, jitter: float) -> float:
    """Return how long to wait after an attempt that was no mail: doubling, from half a second to a minute.

    Args:
        attempts: Started so far, at least 1.
        jitter: 0 to 1; spreads the waits of many over half of each.
    """
    longest = min(_FIRST_WAIT_SECONDS * 2.0 ** min(attempts - 1, 16), _LONGEST_WAIT_SECONDS)
    return longest * (0.5 + 0.5 * jitter)


def _news_at(notification: Notification, state: State, at: datetime) -> datetime | None:
    """Return since when the state is news; one that has reached its reader after all is none."""
    return (notification.news_at or at) if state.is_news() else None


def _higher(one: State, other: State) -> State:
    return max(one, other, key=_RANKS.__getitem__)


def _changed(notification: Notification, **fields: object) -> Notification:
    return replace(notification, version=notification.version + 1, **fields)  # type: ignore[arg-type]  # checked by each caller's names
