"""SendGrid's Email Activity feed behind the Feed port.

The feed has no cursor: it shows the newest mails that a query finds, a thousand at most. So the next page is asked for
by time, and since many mails can have one and the same second, what was listed of that second already is left out.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson

from chassis.http import Answer, HttpClient, HttpError
from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.adapters.sendgrid import asked_wait
from notify_svc.app.ports import FeedDenied
from notify_svc.domain.feed import FeedPage, FeedPlace, ListedMail

_logger = logging.getLogger(__name__)

# The most that SendGrid shows at once. It is asked for always, because only six questions a minute are answered.
_MOST = 1000

# So long what was shown is as good as new: whoever reads the feed to its end looks at its head once more.
_KEPT_SECONDS = 60.0

# Clocks differ; nothing that happened is left out by beginning tomorrow.
_AHEAD = timedelta(days=1)

_OK = 200
_NO_FEED = frozenset({403, 404})
_TOO_MANY = 429
_CALLER_FAULT = range(400, 500)


@dataclass(frozen=True, slots=True)
class _Window:
    """What SendGrid showed at once.

    Attributes:
        until: Nothing later was asked for.
        mails: In the order of the feed, of every second that is shown whole.
        oldest: The second at which it was cut off; None where that is the end of the feed.
        asked_at: When, by the clock that only goes forward.
    """

    until: datetime
    mails: tuple[ListedMail, ...]
    oldest: datetime | None
    asked_at: float

    def shows(self, place: FeedPlace) -> bool:
        """Say whether it has the mails that follow a place."""
        return place.at <= self.until and any(map(place.precedes, self.mails))


class SendGridFeed:
    """Reads the feed.

    Args:
        client: Of SendGrid's base address, with our key.
        clock: Says where the newest mails begin, and how long a wait is.
    """

    def __init__(self, client: HttpClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        # Pages are smaller than what SendGrid shows at once: the next ones are cut from it too.
        self._window: _Window | None = None

    async def page(self, after: FeedPlace | None, limit: int) -> Done[FeedPage] | NotDone[FeedDenied] | Unknown:
        """Return at most `limit` mails that come after a place."""
        place = after or FeedPlace(self._clock.now() + _AHEAD)
        window = None if after is None else self._kept()
        while True:
            if window is None or not window.shows(place):
                shown = await self._until(place.at)
                if not isinstance(shown, _Window):
                    return shown
                window = self._window = shown
            rest = [mail for mail in window.mails if place.precedes(mail)]
            if rest or window.oldest is None:
                return Done(FeedPage(tuple(rest[:limit]), len(rest) > limit or window.oldest is not None))
            if not window.mails:
                return NotDone(FeedDenied(f"More than {_MOST} mails share one second; SendGrid shows no more of it"))
            # Everything that is shown whole was listed before: on with the second at which it was cut off.
            place = FeedPlace(window.oldest)

    def _kept(self) -> _Window | None:
        """Return what was shown last, unless that is long ago."""
        window = self._window
        fresh = window is not None and self._clock.monotonic() - window.asked_at < _KEPT_SECONDS
        return window if fresh else None

    async def _until(self, moment: datetime) -> _Window | NotDone[FeedDenied] | Unknown:
        """Ask for the newest mails whose last event was at that moment or before it."""
        query = f'last_event_time BETWEEN TIMESTAMP "1970-01-01T00:00:00Z" AND TIMESTAMP "{moment:%Y-%m-%dT%H:%M:%SZ}"'
        path = f"/v3/messages?limit={_MOST}&query={quote(query, safe='')}"
        try:
            answer = await self._client.request("GET", path, operation="list_messages")
        except HttpError as error:
            return Unknown(str(error))
        if answer.status != _OK:
            return self._refused(answer)
        try:
            shown = [_mail(message) for message in orjson.loads(answer.body)["messages"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _logger.error("sendgrid.malformed_feed", extra={"what": type(error).__name__})  # noqa: TRY400  (may name a recipient)
            return Unknown("an answer that makes no sense")
        # Where the list was cut off, its last second may not be whole.
        oldest = min(mail.last_event_at for mail in shown) if len(shown) >= _MOST else None
        whole = [mail for mail in shown if oldest is None or mail.last_event_at > oldest]
        whole.sort(key=lambda mail: mail.list_id)
        whole.sort(key=lambda mail: mail.last_event_at, reverse=True)
        return _Window(moment, tuple(whole), oldest, self._clock.monotonic())

    def _refused(self, answer: Answer) -> NotDone[FeedDenied] | Unknown:
        status = answer.status
        if status in _NO_FEED:
            return NotDone(FeedDenied(f"The account has no activity feed, or the key may not read it (http {status})"))
        if status in _CALLER_FAULT and status != _TOO_MANY:
            return NotDone(FeedDenied(f"SendGrid refuses to show its activity feed (http {status})"))
        return Unknown(f"http {status}", asked_wait(answer, self._clock))


def _mail(message: dict[str, Any]) -> ListedMail:
    list_id = message["msg_id"]
    return ListedMail(
        list_id=list_id,
        # The part before the first dot is what the answer to mail/send said.
        message_id=list_id.partition(".")[0],
        status=str(message["status"]),
        last_event_at=datetime.fromisoformat(message["last_event_time"]),
    )
