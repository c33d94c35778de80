"""Deliveries: one message on its way to one endpoint, and what an attempt makes of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from kernel.outcome import Done, NotDone, Unknown

# What Standard Webhooks recommends: tried at once, and after each failure again after so long. After the last one it is
# given up, three days and a bit later.
_WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_ATTEMPTS = len(_WAITS) + 1

# Up to so much of a wait is added to it by luck: what failed together must not come back together.
_SPREAD = 0.1

# The longest wait that an endpoint is granted when it asks for one.
_LONGEST_ASKED = timedelta(hours=24)

_GONE = 410
_SUCCESS = range(200, 300)
_REDIRECT = range(300, 400)


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one endpoint.

    Attributes:
        delivery_id: UUID, 36 characters; sorts by the time it was made.
        endpoint_id: Where it goes.
        message_id: What it carries.
        event_type: What that tells of.
        order_id: The order that it is about.
        created_at: When what it tells of happened.
        state: Where it stands.
        version: 1 at first, +1 with each claim, attempt and replay; who holds an older one has lost it.
        attempts: How often it was tried since it was made, or replayed.
        due_at: When it is tried next; None when it is over, or held back because the endpoint is switched off.
        response_status: Of the latest answer; 0 when there was none.
        last_error: What went wrong the last time; empty when nothing did.
        delivered_at: When the endpoint took it.
    """

    delivery_id: str
    endpoint_id: str
    message_id: str
    event_type: str
    order_id: str
    created_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    version: int = 1
    attempts: int = 0
    due_at: datetime | None = None
    response_status: int = 0
    last_error: str = ""
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered.

    Attributes:
        status: Of HTTP.
        retry_after: Seconds that it asked to be left alone, when it did.
    """

    status: int
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """Say whether the endpoint has taken the message."""
        return self.status in _SUCCESS

    @property
    def gone(self) -> bool:
        """Say whether the endpoint wants to hear nothing any more."""
        return self.status == _GONE


def after_attempt(
    delivery: Delivery, outcome: Done[Answer] | NotDone[str] | Unknown, now: datetime, luck: float
) -> Delivery:
    """Return the delivery after one more attempt.

    Args:
        delivery: As it was claimed.
        outcome: An answer; not sent, and why; or sent and not answered.
        now: The time.
        luck: 0 to 1, to spread retries.
    """
    tried = replace(delivery, version=delivery.version + 1, attempts=delivery.attempts + 1, response_status=0)
    match outcome:
        case Done(answer) if answer.taken:
            return replace(
                tried,
                state=DeliveryState.DELIVERED,
                due_at=None,
                response_status=answer.status,
                last_error="",
                delivered_at=now,
            )
        case Done(answer) if answer.gone:
            # Held back, not given up: should a person switch the endpoint on again, it is sent.
            return replace(tried, due_at=None, response_status=answer.status, last_error=_said(answer))
        case Done(answer):
            seen = replace(tried, response_status=answer.status, last_error=_said(answer))
            return _later(seen, now, luck, answer.retry_after)
        case NotDone(why):
            return _later(replace(tried, last_error=why), now, luck, None)
        case Unknown(cause, retry_after):
            return _later(replace(tried, last_error=cause), now, luck, retry_after)


def replayed(delivery: Delivery, now: datetime) -> Delivery:
    """Return the delivery to be sent again, with all its attempts before it."""
    return replace(
        delivery,
        version=delivery.version + 1,
        state=DeliveryState.PENDING,
        attempts=0,
        due_at=now,
        delivered_at=None,
    )


def _later(delivery: Delivery, now: datetime, luck: float, asked: float | None) -> Delivery:
    if delivery.attempts >= MOST_ATTEMPTS:
        return replace(delivery, state=DeliveryState.FAILED, due_at=None)
    wait = _WAITS[delivery.attempts - 1] * (1.0 + _SPREAD * luck)
    if asked is not None:
        wait = max(wait, min(timedelta(seconds=asked), _LONGEST_ASKED))
    return replace(delivery, due_at=now + wait)


def _said(answer: Answer) -> str:
    if answer.gone:
        return "answered 410 Gone: the endpoint is switched off"
    if answer.status in _REDIRECT:
        return f"answered {answer.status}: redirects are not followed; update the endpoint's url"
    return f"answered {answer.status}"
