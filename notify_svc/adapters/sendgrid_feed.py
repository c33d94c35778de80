"""SendGrid's Email Activity feed behind the Feed port.

The feed has no cursor: it shows the newest mails that a query finds, a thousand at most. So the next page is asked for
by time, and since many mails can have one and the same second, what was listed of that second already is left out.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from chassis.http import HttpClient, HttpError
from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.adapters.sendgrid import asked_wait
from notify_svc.app.ports import FeedDenied
from notify_svc.domain.feed import FeedPage, FeedPlace, ListedMail

_logger = logging.getLogger(__name__)

# The most that SendGrid shows at once. It is asked for always, because only six questions a minute are answered.
_MOST = 1000

# Clocks differ; nothing that happened is left out by beginning tomorrow.
_AHEAD = timedelta(days=1)

_OK = 200
_NO_FEED = frozenset({403, 404})
_TOO_MANY = 429
_CALLER_FAULT = range(400, 500)


class SendGridFeed:
    """Reads the feed.

    Args:
        client: Of SendGrid's base address, with our key.
        clock: Says where the newest mails begin, and how long a wait is.
    """

    def __init__(self, client: HttpClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def page(self, after: FeedPlace | None, limit: int) -> Done[FeedPage] | NotDone[FeedDenied] | Unknown:
        """Return at most `limit` mails that come after a place."""
        place = after or FeedPlace(self._clock.now() + _AHEAD)
        while True:
            shown = await self._until(place.at)
            if not isinstance(shown, list):
                return shown
            whole = _whole(shown)
            rest = sorted(filter(place.precedes, whole), key=lambda mail: mail.list_id)
            rest.sort(key=lambda mail: mail.last_event_at, reverse=True)
            if rest or len(shown) < _MOST:
                return Done(FeedPage(tuple(rest[:limit]), len(rest) > limit or len(shown) >= _MOST))
            if not whole:
                return NotDone(
                    FeedDenied(f"More than {_MOST} mails share one second: SendGrid's feed cannot show them")
                )
            # Everything that is shown whole was listed before: on with the second below.
            place = FeedPlace(min(mail.last_event_at for mail in shown))

    async def _until(self, moment: datetime) -> list[ListedMail] | NotDone[FeedDenied] | Unknown:
        """Return the newest mails whose last event was at that moment or before it."""
        query = f'last_event_time BETWEEN TIMESTAMP "1970-01-01T00:00:00Z" AND TIMESTAMP "{moment:%Y-%m-%dT%H:%M:%SZ}"'
        path = f"/v3/messages?limit={_MOST}&query={quote(query, safe='')}"
        try:
            answer = await self._client.get(path, extensions={"operation": "list_messages"})
        except HttpError as error:
            return Unknown(str(error))
        if answer.status_code != _OK:
            return self._refused(answer)
        try:
            return [_mail(message) for message in orjson.loads(answer.content)["messages"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _logger.error("sendgrid.malformed_feed", extra={"what": type(error).__name__})  # noqa: TRY400  (may name a recipient)
            return Unknown("an answer that makes no sense")

    def _refused(self, answer: httpx.Response) -> NotDone[FeedDenied] | Unknown:
        status = answer.status_code
        if status in _NO_FEED:
            return NotDone(FeedDenied(f"The account has no activity feed, or the key may not read it (http {status})"))
        if status in _CALLER_FAULT and status != _TOO_MANY:
            return NotDone(FeedDenied(f"SendGrid refuses to show its activity feed (http {status})"))
        return Unknown(f"http {status}", asked_wait(answer, self._clock))


def _whole(shown: Sequence[ListedMail]) -> list[ListedMail]:
    """Return the mails of every second that is shown whole; where the list was cut off, the last one may not be."""
    if len(shown) < _MOST:
        return list(shown)
    oldest = min(mail.last_event_at for mail in shown)
    return [mail for mail in shown if mail.last_event_at > oldest]


def _mail(message: dict[str, Any]) -> ListedMail:
    list_id = message["msg_id"]
    return ListedMail(
        list_id=list_id,
        # The part before the first dot is what the answer to mail/send said.
        message_id=list_id.partition(".")[0],
        status=str(message["status"]),
        last_event_at=datetime.fromisoformat(message["last_event_time"]),
    )
